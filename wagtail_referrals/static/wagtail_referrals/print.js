/* The page of cards and posters: a button that prints. Without this script the page says how. */

const button = document.querySelector("[data-print]");
const hint = document.querySelector("[data-print-hint]");

if (button && typeof window.print === "function") {
    button.hidden = false;
    if (hint) hint.hidden = true;
    button.addEventListener("click", () => window.print());
}
