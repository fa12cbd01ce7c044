"""Dose of an implant: from one seed's TG-43 formula to what a plan reports. Dose to water in water."""
