/* The two dates are asked for only where the period is "from ... to ...". */
(() => {
  const { Controller } = window.StimulusModule;

  class ReferralSummary extends Controller {
    static targets = ["date"];

    connect() {
      this.toggle();
    }

    toggle() {
      const period = this.element.querySelector('[name="period"]');
      this.dateTargets.forEach((field) => {
        field.hidden = period.value !== "custom";
      });
    }
  }

  window.wagtail.app.register("referral-summary", ReferralSummary);
})();
