/* The form of a message: a test of what is being typed, sent to the editor alone. */
(() => {
  const { Controller } = window.StimulusModule;

  class ReferralMessage extends Controller {
    static targets = ["test", "language", "button", "said"];

    static values = { url: String, failed: String };

    connect() {
      this.testTarget.hidden = false;
    }

    async send() {
      const form = document.getElementById("w-editor-form");
      if (!form) return;
      const sent = new FormData(form);
      sent.set("test-language", this.languageTarget.value);
      this.buttonTarget.disabled = true;
      this.say("", true);
      try {
        const response = await fetch(this.urlValue, {
          method: "POST",
          body: sent,
          headers: { "X-Requested-With": "XMLHttpRequest", Accept: "application/json" },
        });
        if (!response.ok) throw new Error(String(response.status));
        const { words, good } = await response.json();
        this.say(words, good);
      } catch {
        this.say(this.failedValue, false);
      } finally {
        this.buttonTarget.disabled = false;
      }
    }

    say(words, good) {
      this.saidTarget.textContent = words;
      this.saidTarget.classList.toggle("referral-message__said--wrong", !good);
    }
  }

  window.wagtail.app.register("referral-message", ReferralMessage);
})();
