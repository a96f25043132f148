from oscar.apps.checkout import utils


class CheckoutSessionData(utils.CheckoutSessionData):
    def set_gift_message(self, message):
        self._set("gift", "message", message)

    def get_gift_message(self):
        return self._get("gift", "message", "")
