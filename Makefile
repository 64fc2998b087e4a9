# PGXS build. Sources are found by pattern: a new file in a room is built without touching this list.
EXTENSION    = pg_snapback
EXTVERSION   = 0.1.0
MODULE_big   = pg_snapback

ROOMS        = core postgres settings catalog snapshot guard approval restore schedule
SOURCES      = $(wildcard src/*.cpp) $(foreach room,$(ROOMS),$(wildcard src/$(room)/*.cpp))
OBJS         = $(SOURCES:.cpp=.o)

# The install script is the rooms' declarations, joined in the one order in which they build on each other.
SQL_PARTS    = $(shell cat src/install_order)
DATA_built   = $(EXTENSION)--$(EXTVERSION).sql

PG_CXXFLAGS  = -std=c++20 -fvisibility=hidden -fvisibility-inlines-hidden -Wall -Wextra -Werror $(SANITIZE)
PG_CPPFLAGS  = -Isrc -MMD -MP
SHLIB_LINK   = -lstdc++ -lzstd -lcrypto -lcurl -lpthread $(SANITIZE)
EXTRA_CLEAN  = $(EXTENSION)--$(EXTVERSION).sql $(OBJS:.o=.d) build results output_iso regression.diffs regression.out

# `make installcheck` needs a running server, a superuser's PGUSER, max_prepared_transactions >= 10 and a few free
# max_worker_processes; `scripts/server make installcheck` brings one that has it all.
REGRESS      = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ISOLATION    = $(patsubst specs/%.spec,%,$(sort $(wildcard specs/*.spec)))
REGRESS_OPTS = --load-extension=pg_snapback
ISOLATION_OPTS = --load-extension=pg_snapback

# Bitcode for the JIT would be built without the C++ flags; nothing here gains from it.
override with_llvm := no

PG_CONFIG   ?= pg_config
PGXS        := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# -Wdeclaration-after-statement and its like are for C only, and Postgres's headers are not ours to warn about.
override CPPFLAGS := -isystem $(shell $(PG_CONFIG) --includedir-server) $(CPPFLAGS)

$(EXTENSION)--$(EXTVERSION).sql: src/install_order $(SQL_PARTS)
	{ printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit'; cat $(SQL_PARTS); } > $@

# The pure core never sees a Postgres header: its include path has none.
src/core/%.o: src/core/%.cpp
	$(CXX) $(filter-out -Wmissing-prototypes,$(CXXFLAGS)) -Isrc -MMD -MP -c -o $@ $<

# PGXS tracks no header dependencies: the compiler writes them beside each object file.
-include $(OBJS:.o=.d)
$(OBJS): Makefile

clean: clean-boundary
.PHONY: clean-boundary
clean-boundary:
	$(MAKE) -C test/boundary clean
