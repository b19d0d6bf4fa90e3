#!/usr/bin/env bash
# The pages in docs/plugins say what the plugins' files say.
# timeout: 60
cd "$SOURCE_DIR" && exec scripts/docs --check
