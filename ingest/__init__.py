"""From the wire to batches: the lossless path from MQTT to the journal, decoding, identity."""
