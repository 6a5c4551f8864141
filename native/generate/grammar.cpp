#include "generate/grammar.h"

#include "core/error.h"

#include <llama-grammar.h>

namespace llamatune {

namespace {

const char * hint = "a grammar is GBNF with a rule named root, e.g. root ::= \"yes\" | \"no\"";

// Skips blank lines and comments before the first rule.
const char * skip_blank(const char * at) {
    while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n' || *at == '#') {
        if (*at == '#') {
            while (*at && *at != '\r' && *at != '\n') at++;
        } else {
            at++;
        }
    }
    return at;
}

}

void check_grammar(const llama_vocab * vocab, const std::string & grammar) {
    llama_grammar_parser parser(vocab);
    try {
        for (const char * at = skip_blank(grammar.c_str()); *at;) at = parser.parse_rule(at);
    } catch (const std::exception & e) {
        throw error("GRAMMAR_INVALID", std::string("the grammar is not valid GBNF: ") + e.what(), hint);
    }
    if (parser.symbol_ids.count("root") == 0)
        throw error("GRAMMAR_INVALID", "the grammar has no rule named root", hint);
    for (const auto & [name, id] : parser.symbol_ids) {
        if (id >= parser.rules.size() || parser.rules[id].empty()) {
            throw error("GRAMMAR_INVALID", "the grammar uses the rule '" + name + "' but does not define it", hint);
        }
    }
}

}
