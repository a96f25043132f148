/* A colour that is typed or picked: the square beside the field, which shows it. Empty stays empty until one picks. */
(() => {
  const { Controller } = window.StimulusModule;
  const isColour = (text) => /^#[0-9a-f]{6}$/i.test(text);

  class ReferralColour extends Controller {
    static targets = ["picker"];

    connect() {
      this.field = this.element.querySelector("input:not([type=color])");
      this.show = () => {
        const text = this.field.value.trim();
        this.pickerTarget.value = isColour(text) ? text : "#ffffff";
        this.element.classList.toggle("referral-colour--empty", !isColour(text));
      };
      this.pick = () => {
        this.field.value = this.pickerTarget.value;
        // The form is to know that it was changed.
        this.field.dispatchEvent(new Event("input", { bubbles: true }));
        this.field.dispatchEvent(new Event("change", { bubbles: true }));
      };
      this.field.addEventListener("input", this.show);
      this.pickerTarget.addEventListener("change", this.pick);
      this.pickerTarget.hidden = false;
      this.show();
    }

    disconnect() {
      this.field.removeEventListener("input", this.show);
      this.pickerTarget.removeEventListener("change", this.pick);
    }
  }

  window.wagtail.app.register("referral-colour", ReferralColour);
})();
