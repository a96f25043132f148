/* Says in words what stands under the pointer, also where there is no mouse to show a tooltip. */
(() => {
  const { Controller } = window.StimulusModule;

  class ReferralChart extends Controller {
    static targets = ["point", "told"];

    pointTargetConnected(point) {
      const title = point.querySelector("title");
      if (title) {
        point.dataset.words = title.textContent;
        // The browser would say it once more.
        title.remove();
      }
    }

    tell(event) {
      this.pointTargets.forEach((point) => {
        point.classList.toggle("referral-chart__point--told", point === event.currentTarget);
      });
      this.toldTarget.textContent = event.currentTarget.dataset.words;
    }
  }

  window.wagtail.app.register("referral-chart", ReferralChart);
})();
