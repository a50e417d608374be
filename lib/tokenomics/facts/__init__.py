"""Sourced data as tables and typed, frozen records, without any physics."""
