/* The form of a badge: only what the chosen criterion asks for is shown. */
(() => {
  const asked = {
    none: [],
    referrals: ["threshold", "period", "program_key"],
    revenue: ["revenue", "period", "program_key"],
    first: ["program_key"],
  };

  const show = (select) => {
    ["threshold", "revenue", "period", "program_key"].forEach((name) => {
      const field = document.querySelector(`.referral-badge__${name}`);
      // A field with an error is shown whatever the criterion.
      if (field) field.hidden = !asked[select.value]?.includes(name) && !field.querySelector(".w-field--error, .error-message");
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("id_criterion");
    if (!select) return;
    select.addEventListener("change", () => show(select));
    show(select);
  });
})();
