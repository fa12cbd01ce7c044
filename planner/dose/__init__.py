"""Dose of an implant: from the TG-43 formula of one seed to the report of a plan. Dose to water in water."""
