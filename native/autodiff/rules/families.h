#pragma once

#include "autodiff/engine/rule.h"

namespace llamatune::rules {

// The rows of the rule table, by family. Each file of rules ends with its own rows.
rule_rows activation_rules();
rule_rows attention_rules();
rule_rows delta_rule_rules();
rule_rows elementwise_rules();
rule_rows hyper_connection_rules();
rule_rows linear_attention_rules();
rule_rows matmul_rules();
rule_rows moe_rules();
rule_rows norm_rules();
rule_rows shape_rules();
rule_rows ssm_rules();
rule_rows triangular_rules();
rule_rows window_rules();

}
