"""Separation: one recording becomes its stems."""
