/* <referral-share>: a copy button, and the share sheet of the device where there is one. Without this script the link can be
   selected, and the links to mail and messengers work. */

class ReferralShare extends HTMLElement {
    connectedCallback() {
        this.link = this.querySelector("input");
        this.status = this.querySelector("[data-status]");
        this.show("[data-copy]", true, () => this.copy());
        this.show("[data-share]", typeof navigator.share === "function", () => this.share());
        this.link?.addEventListener("focus", () => this.link.select());
    }

    show(selector, possible, act) {
        const button = this.querySelector(selector);
        if (button && possible) {
            button.hidden = false;
            button.addEventListener("click", act);
        }
    }

    say(text) {
        if (this.status) this.status.textContent = text;
    }

    async copy() {
        try {
            await navigator.clipboard.writeText(this.link.value);
        } catch {
            // Not a secure page, or the browser refuses: the old way, else by hand.
            this.link.select();
            if (!document.execCommand("copy")) {
                this.say(this.dataset.failed);
                return;
            }
        }
        this.say(this.dataset.copied);
    }

    async share() {
        const { url, title, text } = this.dataset;
        try {
            await navigator.share({ url, title, text });
        } catch (error) {
            // "AbortError": the person closed the sheet.
            if (error.name !== "AbortError") await this.copy();
        }
    }
}

if (!customElements.get("referral-share")) customElements.define("referral-share", ReferralShare);
