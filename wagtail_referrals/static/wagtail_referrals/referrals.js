/* <referral-share>: a copy button, the share sheet of the device where there is one, and links to mail and messengers that
   follow the message which the person writes. Without this script the link and the message can be selected, and the
   links lead on, through an address that counts, with the message that was proposed. */

class ReferralShare extends HTMLElement {
    connectedCallback() {
        if (this.ways) return; // moved to another place of the page
        this.link = this.querySelector("input");
        this.message = this.querySelector("textarea");
        this.status = this.querySelector("[data-status]");
        this.ways = [...this.querySelectorAll("a[data-pattern]")];

        this.link?.addEventListener("focus", () => this.link.select());
        this.show("[data-copy]", (button) => this.copy(button));
        if (navigator.share) {
            const sheet = this.show("[data-share]", (button) => this.share(button));
            // The first of the two is the shorter way.
            if (sheet) this.querySelector("[data-copy]")?.classList.add("referrals-button-quiet");
            this.offerPicture(sheet);
        }
        for (const way of this.ways) {
            // The middle button opens the link too, the right one does not.
            for (const click of ["click", "auxclick"]) {
                way.addEventListener(click, ({ button }) => button < 2 && this.count(way));
            }
        }
        if (this.message) {
            this.message.readOnly = false;
            this.message.addEventListener("input", () => this.address());
        }
        this.address();
    }

    show(selector, act) {
        const button = this.querySelector(selector);
        if (button) {
            button.hidden = false;
            button.addEventListener("click", () => act(button));
        }
        return button;
    }

    say(text) {
        if (this.status) this.status.textContent = text;
    }

    /* What is sent: the person's words once they changed them, else those proposed for this way. */
    words(proposed) {
        const { message } = this;
        return message && message.value !== message.defaultValue ? message.value.trim() : proposed;
    }

    /* Lead the links straight to the other programs. The places in a pattern are those of site/sharing.py. */
    address() {
        for (const way of this.ways) {
            const { pattern, title, link } = way.dataset;
            const text = this.words(way.dataset.text);
            const lines = text ? text.split(/\r?\n/) : [];
            const values = {
                title,
                text: lines.join("\n"),
                link,
                message: [...lines, link].join("\n"),
                letter: (text ? [...lines, "", link] : [link]).join("\r\n"),
            };
            way.href = pattern.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name]));
        }
    }

    count({ dataset: { count } }) {
        if (!count) return;
        // Goes on after the page is left. A policy of the site may forbid it, and let pictures pass.
        fetch(count, { method: "POST", keepalive: true }).catch(() => {
            new Image().src = count;
        });
    }

    async copy(button) {
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
        this.count(button);
        this.say(this.dataset.copied);
    }

    offerPicture(sheet) {
        const choice = this.querySelector("[data-with-picture]");
        const empty = new File([], "a.png", { type: "image/png" });
        if (!sheet || !choice || !navigator.canShare?.({ files: [empty] })) return;
        choice.hidden = false;
        this.withPicture = choice.querySelector("input");
        // On Apple's devices some programs take the picture and drop the link: there it is the person's choice.
        this.withPicture.checked = !navigator.vendor.startsWith("Apple");
        // The sheet opens only in answer to a click: what it is to show is fetched as the finger comes down.
        for (const near of ["pointerenter", "focus"]) sheet.addEventListener(near, () => this.fetchPicture());
    }

    fetchPicture() {
        if (!this.withPicture?.checked) return null;
        this.picture ??= fetch(this.dataset.picture)
            .then((response) => (response.ok ? response.blob() : Promise.reject()))
            .then((blob) => new File([blob], "invitation.png", { type: blob.type }))
            .catch(() => {
                this.picture = null; // another time
            });
        return this.picture;
    }

    async share(button) {
        const { link, title } = this.dataset;
        const text = this.words(this.dataset.text);
        let data = { url: link, title, text };
        const second = new Promise((resolve) => {
            setTimeout(resolve, 1000);
        });
        const picture = await Promise.race([this.fetchPicture(), second]);
        if (picture) {
            // Beside a file programs rather drop the address than the text.
            const together = { title, text: text ? `${text}\n${link}` : link, files: [picture] };
            if (navigator.canShare(together)) data = together;
        }
        try {
            await navigator.share(data);
        } catch (error) {
            // "AbortError": the person closed the sheet.
            if (error.name !== "AbortError") await this.copy(this.querySelector("[data-copy]") ?? button);
            return;
        }
        this.count(button);
    }
}

if (!customElements.get("referral-share")) customElements.define("referral-share", ReferralShare);
