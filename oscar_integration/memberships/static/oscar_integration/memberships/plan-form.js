/* The form of a plan: its words are built while one types; what a plan that does not renew has no use for is hidden. */
(() => {
  const { Controller } = window.StimulusModule;

  class MembershipPlan extends Controller {
    static targets = ["words"];

    static values = { url: String, delay: { type: Number, default: 400 } };

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
      this.showFields();
    }

    disconnect() {
      clearTimeout(this.timer);
      this.request?.abort();
      this.form?.removeEventListener("input", this.changed);
      this.form?.removeEventListener("change", this.changed);
    }

    /* A field with an error is shown whatever is ticked. */
    showFields() {
      const renewal = this.form.querySelector(".membership-renewal");
      if (renewal) renewal.hidden = !this.form.elements.renews.checked && !renewal.querySelector(".error-message");
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
        const { words } = await response.json();
        if (this.wordsTarget.textContent !== words) this.wordsTarget.textContent = words;
      } catch (error) {
        // Aborted by a newer request, or no network: the last words stay.
        if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
      }
    }
  }

  window.wagtail.app.register("membership-plan", MembershipPlan);
})();
