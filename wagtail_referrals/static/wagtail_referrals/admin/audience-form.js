/* The form of an audience: who is in it is counted while one types, and only the chosen fact's fields are shown. */
(() => {
  const { Controller } = window.StimulusModule;

  class ReferralAudience extends Controller {
    static targets = ["count", "words", "samples", "names", "hints"];

    static values = { url: String, facts: Object, delay: { type: Number, default: 400 } };

    connect() {
      this.form = document.getElementById("w-editor-form");
      if (!this.form) return;
      this.changed = () => {
        this.showFields();
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.refresh(), this.delayValue);
      };
      this.form.addEventListener("input", this.changed);
      this.form.addEventListener("change", this.changed);
      // Rows that are added, and hidden when they are deleted. Without what our own hiding changes: that is no news.
      const rows = this.form.querySelector("#id_rules-FORMS");
      this.rowCount = this.visibleRows().length;
      this.observer = new MutationObserver(() => {
        const count = this.visibleRows().length;
        if (count === this.rowCount) return;
        this.rowCount = count;
        this.changed();
      });
      if (rows) {
        this.observer.observe(rows, { childList: true, subtree: true, attributes: true, attributeFilter: ["style", "class"] });
      }
      this.showFields();
    }

    disconnect() {
      clearTimeout(this.timer);
      this.observer?.disconnect();
      this.request?.abort();
      this.form?.removeEventListener("input", this.changed);
      this.form?.removeEventListener("change", this.changed);
    }

    rows() {
      return [...this.form.querySelectorAll("#id_rules-FORMS > [data-inline-panel-child]")];
    }

    visibleRows() {
      return this.rows().filter((row) => row.offsetParent !== null);
    }

    showFields() {
      const all = Object.values(this.factsValue).flat();
      this.rows().forEach((row) => {
        const used = this.factsValue[row.querySelector('select[name$="-fact"]')?.value] ?? [];
        all.forEach((name) => {
          const field = row.querySelector(`.referral-rule__${name}`);
          // A field with an error is shown whatever the fact.
          if (field) field.hidden = !used.includes(name) && !field.querySelector(".w-field--error, .error-message");
        });
        row.querySelectorAll(".referral-rule__options").forEach((options) => {
          options.hidden = !options.querySelector('[class*="referral-rule__option_"]:not([hidden])');
        });
      });
    }

    async refresh() {
      this.request?.abort();
      this.request = new AbortController();
      try {
        const response = await fetch(this.urlValue, {
          method: "POST",
          body: new FormData(this.form),
          headers: { "X-Requested-With": "XMLHttpRequest", Accept: "application/json" },
          signal: this.request.signal,
        });
        if (!response.ok) return;
        const { count, words, samples, hints } = await response.json();
        if (this.countTarget.textContent !== count) this.countTarget.textContent = count;
        this.wordsTarget.textContent = words;
        this.samplesTarget.hidden = samples.length === 0;
        this.list(this.namesTarget, samples);
        this.list(this.hintsTarget, hints);
      } catch (error) {
        // Aborted by a newer request, or no network: the last count stays.
        if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
      }
    }

    list(target, texts) {
      target.replaceChildren(
        ...texts.map((text) => {
          const item = document.createElement("li");
          item.textContent = text;
          return item;
        }),
      );
    }
  }

  window.wagtail.app.register("referral-audience", ReferralAudience);
})();
