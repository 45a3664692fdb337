"""The first stage: pictures to latents and back, with its quantiser and its losses."""
