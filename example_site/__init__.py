"""Studio Souffle: a yoga studio with a shop, to try wagtail-referrals in. A demonstration, not for production."""
