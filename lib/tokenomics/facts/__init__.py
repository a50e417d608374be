"""Sourced data as tables and typed, frozen records. No physics and no judgement here."""
