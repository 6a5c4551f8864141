#pragma once

#include <string>

struct llama_vocab;

namespace llamatune {

// Throws error GRAMMAR_INVALID with the parser's reason. Needed before llama.cpp's own entry point, which prints to
// stderr what it cannot parse.
void check_grammar(const llama_vocab * vocab, const std::string & grammar);

}
