"""What the shop manager needs and Oscar's dashboard lacks: take payment, ship, cancel, refund; and the sent e-mails."""
