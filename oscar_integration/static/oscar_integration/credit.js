/* The payment step: credit that was ticked, or changed, without pressing our own button. Going on with the shop's form, or its
   link to the preview, sends ours first. Without this script the words beside the button say that it has to be pressed. */

const SECTION = ".referral-credit[data-preview]";
// Where the shop's payment is; the forms of its header (language, search) are none of our business.
const CONTENT = "main, [role=main], #content_inner, .page_inner";
const settled = new WeakSet();
let sending = false;

function isPending(section) {
    const use = section.querySelector("input[name=use]");
    const amount = section.querySelector("input[name=amount]");
    if (!use || !amount) return false;
    const applied = section.dataset.applied;
    return use.checked ? amount.value.trim() !== applied : applied !== "";
}

async function send(section) {
    const form = section.querySelector("form");
    // Not form.action: that is our field of this name.
    const answer = await fetch(form.getAttribute("action"), {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        // A redirect means that it was taken. Not followed, so that the next page still says what there is to say.
        redirect: "manual",
    });
    if (answer.type === "opaqueredirect") return true;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const refused = page.querySelector(SECTION);
    const wrong = refused?.querySelector("[aria-invalid=true]");
    if (!answer.ok || !wrong) throw new Error(`Unexpected answer ${answer.status}`);
    // In place, so that what was typed about the card stays.
    section.replaceWith(refused);
    wrong.focus();
    return false;
}

async function settle(event, what, goOn) {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (sending) return;
    sending = true;
    const section = document.querySelector(SECTION);
    try {
        if (await send(section)) {
            settled.add(what);
            goOn();
        }
    } catch {
        // As if our button had been pressed: whatever is wrong is then seen, and no credit is dropped unsaid.
        section.querySelector("form").submit();
    } finally {
        sending = false;
    }
}

function concerns(what) {
    const section = document.querySelector(SECTION);
    if (!section || section.contains(what) || settled.has(what)) return false;
    const content = section.closest(CONTENT) ?? document.body;
    return content.contains(what) && isPending(section);
}

// While capturing, before the shop's own scripts: they hear the event when it is sent again.
document.addEventListener(
    "submit",
    (event) => {
        const form = event.target;
        if (form.getAttribute("method")?.toLowerCase() !== "post" || !concerns(form)) return;
        const submitter = event.submitter;
        settle(event, form, () => form.requestSubmit(submitter?.form === form ? submitter : undefined));
    },
    true,
);

document.addEventListener(
    "click",
    (event) => {
        const link = event.target.closest?.("a[href]");
        const modified = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
        if (!link || modified || !concerns(link)) return;
        const preview = new URL(document.querySelector(SECTION).dataset.preview, location.href);
        if (link.origin !== preview.origin || link.pathname !== preview.pathname) return;
        settle(event, link, () => link.click());
    },
    true,
);

// Back from the preview by the browser's own button: the page is as it was left, the credit perhaps not.
window.addEventListener("pageshow", (event) => {
    if (event.persisted && document.querySelector(SECTION)) location.reload();
});
