"""Capacity and cost: what a day's recordings take, and what a burst of uploads waits for."""
