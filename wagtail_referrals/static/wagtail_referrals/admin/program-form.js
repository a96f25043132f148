/* The form of a program: its sentence is built while one types, and fields that a rule does not use are hidden. */
(() => {
  const { Controller } = window.StimulusModule;

  class ReferralProgram extends Controller {
    static targets = ["sentence", "hints", "notes"];

    static values = { url: String, rules: Object, delay: { type: Number, default: 400 } };

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
      this.rowCount = 0;
      this.observer = new MutationObserver(() => {
        const count = this.visibleRows().length;
        if (count === this.rowCount) return;
        this.rowCount = count;
        this.changed();
      });
      if (rows) {
        this.observer.observe(rows, { childList: true, subtree: true, attributes: true, attributeFilter: ["style", "class"] });
      }
      this.rowCount = this.visibleRows().length;
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
      this.rows().forEach((row) => {
        const select = (name) => row.querySelector(`select[name$="-${name}"]`);
        const [side, trigger, kind] = [select("side"), select("trigger"), select("kind")];
        if (!side || !trigger || !kind) return;
        const { kinds, triggers, fields } = this.rulesValue;
        this.limit(kind, kinds, side.value);
        this.limit(trigger, triggers, side.value);
        const used = [...(kinds[kind.value]?.fields ?? []), ...(triggers[trigger.value]?.fields ?? [])];
        fields.forEach((name) => this.toggle(row, name, used.includes(name)));
        // A row of options of which none is shown takes no room.
        row.querySelectorAll(".referral-rule__options").forEach((options) => {
          options.hidden = !options.querySelector('[class*="referral-rule__option_"]:not([hidden])');
        });
      });
    }

    /* What this side cannot get is not offered; a choice that was made stays, so that its error can be read. */
    limit(select, known, side) {
      [...select.options].forEach((option) => {
        const sides = known[option.value]?.sides;
        option.hidden = Boolean(side && sides && !sides.includes(side) && !option.selected);
        option.disabled = option.hidden || Boolean(known[option.value]?.forbidden && !option.selected);
      });
    }

    /* A field with an error is shown whatever the kind. */
    toggle(row, name, shown) {
      const field = row.querySelector(`.referral-rule__${name}`);
      if (field) field.hidden = !shown && !field.querySelector(".w-field--error, .error-message");
    }

    list(target, sentences) {
      target.replaceChildren(
        ...sentences.map((sentence) => {
          const item = document.createElement("li");
          item.textContent = sentence;
          return item;
        }),
      );
    }

    /* The form as it is, sent to another tab. Nobody is told of a submission: the form stays unsaved, and warns. */
    replay({ params }) {
      const before = ["action", "target"].map((name) => [name, this.form.getAttribute(name)]);
      this.form.setAttribute("action", params.replay);
      this.form.setAttribute("target", "_blank");
      HTMLFormElement.prototype.submit.call(this.form);
      before.forEach(([name, value]) =>
        value === null ? this.form.removeAttribute(name) : this.form.setAttribute(name, value),
      );
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
        const { sentence, hints, notes } = await response.json();
        if (this.sentenceTarget.textContent !== sentence) this.sentenceTarget.textContent = sentence;
        this.list(this.hintsTarget, hints);
        this.list(this.notesTarget, notes);
      } catch (error) {
        // Aborted by a newer request, or no network: the last sentence stays.
        if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
      }
    }
  }

  window.wagtail.app.register("referral-program", ReferralProgram);
})();
