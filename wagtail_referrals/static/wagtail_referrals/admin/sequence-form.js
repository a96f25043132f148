/* The form of a sequence: its sentences, and what cannot work, are told while one types. */
(() => {
  const { Controller } = window.StimulusModule;

  class ReferralSequence extends Controller {
    static targets = ["lines", "hints"];

    static values = { url: String, delay: { type: Number, default: 400 } };

    connect() {
      this.form = document.getElementById("w-editor-form");
      if (!this.form) return;
      this.changed = () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.refresh(), this.delayValue);
      };
      this.form.addEventListener("input", this.changed);
      this.form.addEventListener("change", this.changed);
      // Rows that are added, moved, and hidden when they are deleted.
      const rows = this.form.querySelector("#id_steps-FORMS");
      this.observer = new MutationObserver(this.changed);
      if (rows) this.observer.observe(rows, { childList: true, attributes: true, subtree: true, attributeFilter: ["class"] });
    }

    disconnect() {
      clearTimeout(this.timer);
      this.observer?.disconnect();
      this.request?.abort();
      this.form?.removeEventListener("input", this.changed);
      this.form?.removeEventListener("change", this.changed);
    }

    list(target, sentences) {
      const before = [...target.children].map((item) => item.textContent);
      if (before.join("\n") === sentences.join("\n")) return;
      target.replaceChildren(
        ...sentences.map((sentence) => {
          const item = document.createElement("li");
          item.textContent = sentence;
          return item;
        }),
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
        const { lines, hints } = await response.json();
        this.list(this.linesTarget, lines);
        this.list(this.hintsTarget, hints);
      } catch (error) {
        // Aborted by a newer request, or no network: the last words stay.
        if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
      }
    }
  }

  window.wagtail.app.register("referral-sequence", ReferralSequence);
})();
