$("[data-card]").on("click", function () {
    $("#id_card-number").val(this.dataset.card);
    $("#id_card-expiry").val("04 / 30");
    $("#id_card-code").val("123");
});
