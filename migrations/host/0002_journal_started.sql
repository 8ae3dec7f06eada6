-- A restart frees the rows that its last life left started: few among millions of done ones.
CREATE INDEX stoa_journal_started ON stoa_journal (owner) WHERE state = 'started';
