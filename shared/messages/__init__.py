"""What arrives and what is sent: events, deliveries, dead letters, webhooks."""
