# Two commands do all the set-up: `make run` and `make test`. The work is in scripts/; each script says what it does.

.PHONY: run test bench docs policies simulate simulate-track

# Builds all programs into target/release and starts wforce on the demo configuration (policies/), listening on 127.0.0.1:8084. Ctrl-C ends it.
run:
	@scripts/run

# Installs what the tests need, then runs every check and every test. `scripts/test STEP...` runs single steps.
test:
	@scripts/test

# Plays a day of people and attackers through the shipped policies; the table goes into docs/policies.md.
simulate:
	@scripts/simulate

# Plays eighty days through trackalert's policies; the table goes into docs/track-policies.md.
simulate-track:
	@scripts/simulate-track

# Measures; see docs/performance.md.
bench:
	@scripts/bench

# Builds the book into docs/book.
docs:
	@scripts/docs

# Builds the WebAssembly policies of policies/ into target/policies.
policies:
	@scripts/policies
