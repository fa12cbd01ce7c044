"""Text: plans, doses and studies as tables for a terminal."""
