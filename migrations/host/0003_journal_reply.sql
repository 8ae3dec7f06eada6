-- What else a kept reply has: its media type (none: no body, or JSON of an earlier version), and Location.
ALTER TABLE stoa_journal ADD COLUMN reply_type TEXT;
ALTER TABLE stoa_journal ADD COLUMN reply_location TEXT;
