"""The KPIs of shifts, days and weeks: answered, and kept in the store."""
