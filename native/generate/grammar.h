#pragma once

#include <string>

struct llama_vocab;

namespace llamatune {

// Throws error GRAMMAR_INVALID with the parser's reason. llama.cpp's own entry point prints its parse errors to stderr,
// so this must be called first.
void check_grammar(const llama_vocab * vocab, const std::string & grammar);

}
