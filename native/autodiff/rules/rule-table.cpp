#include "autodiff/rules/rule-table.h"

#include "autodiff/rules/activations.h"
#include "autodiff/rules/attention.h"
#include "autodiff/rules/elementwise.h"
#include "autodiff/rules/hyper-connection.h"
#include "autodiff/rules/linear-attention.h"
#include "autodiff/rules/matmul.h"
#include "autodiff/rules/moe.h"
#include "autodiff/rules/norm.h"
#include "autodiff/rules/shape.h"
#include "autodiff/rules/ssm.h"
#include "autodiff/rules/triangular.h"
#include "autodiff/rules/window.h"

namespace llamatune {

namespace {

// Op, unary kind or GLU kind -> gradient. To add one: write the rule in its family's file, add the row here, and its
// case in test/native/autodiff/.
struct op_row {
    ggml_op op;
    rule apply;
};
struct unary_row {
    ggml_unary_op op;
    rule apply;
};
struct glu_row {
    ggml_glu_op op;
    rule apply;
};

constexpr op_row op_rules[] = {
    {GGML_OP_RESHAPE, rules::reshape},
    {GGML_OP_VIEW, rules::view},
    {GGML_OP_PERMUTE, rules::permute},
    {GGML_OP_TRANSPOSE, rules::transpose},
    {GGML_OP_CONT, rules::copy},
    {GGML_OP_CPY, rules::copy},
    {GGML_OP_DUP, rules::copy},
    {GGML_OP_REPEAT, rules::repeat},
    {GGML_OP_CONCAT, rules::concat},
    {GGML_OP_GET_ROWS, rules::get_rows},
    {GGML_OP_ADD, rules::add},
    {GGML_OP_SUB, rules::sub},
    {GGML_OP_MUL, rules::mul},
    {GGML_OP_DIV, rules::div},
    {GGML_OP_SCALE, rules::scale},
    {GGML_OP_CLAMP, rules::clamp},
    {GGML_OP_SQR, rules::sqr},
    {GGML_OP_SQRT, rules::sqrt},
    {GGML_OP_LOG, rules::log},
    {GGML_OP_SIN, rules::sin},
    {GGML_OP_COS, rules::cos},
    {GGML_OP_ADD1, rules::add1},
    {GGML_OP_SUM, rules::sum},
    {GGML_OP_SUM_ROWS, rules::sum_rows},
    {GGML_OP_MEAN, rules::mean},
    {GGML_OP_MUL_MAT, rules::mul_mat},
    {GGML_OP_RMS_NORM, rules::rms_norm},
    {GGML_OP_NORM, rules::norm},
    {GGML_OP_GROUP_NORM, rules::group_norm},
    {GGML_OP_L2_NORM, rules::l2_norm},
    {GGML_OP_SOFT_MAX, rules::soft_max},
    {GGML_OP_ROPE, rules::rope},
    {GGML_OP_ROPE_BACK, rules::rope_back},
    {GGML_OP_DSV4_HC_PRE, rules::hyper_connection_pre},
    {GGML_OP_CUMSUM, rules::cumsum},
    {GGML_OP_TRI, rules::tri},
    {GGML_OP_SOLVE_TRI, rules::solve_tri},
    {GGML_OP_DIAG, rules::diag},
    {GGML_OP_PAD, rules::pad},
    {GGML_OP_ROLL, rules::roll},
    {GGML_OP_SET, rules::set},
    {GGML_OP_ACC, rules::acc},
    {GGML_OP_SET_ROWS, rules::set_rows},
    {GGML_OP_SSM_CONV, rules::ssm_conv},
    {GGML_OP_MUL_MAT_ID, rules::mul_mat_id},
    {GGML_OP_ADD_ID, rules::add_id},
    {GGML_OP_SSM_SCAN, rules::ssm_scan},
    {GGML_OP_GATED_LINEAR_ATTN, rules::gated_linear_attn},
    {GGML_OP_RWKV_WKV6, rules::rwkv_wkv6},
    {GGML_OP_RWKV_WKV7, rules::rwkv_wkv7},
    {GGML_OP_GATED_DELTA_NET, rules::gated_delta_net},
};

constexpr unary_row unary_rules[] = {
    {GGML_UNARY_OP_NEG, rules::neg},
    {GGML_UNARY_OP_ABS, rules::abs},
    {GGML_UNARY_OP_EXP, rules::exp},
    {GGML_UNARY_OP_TANH, rules::tanh},
    {GGML_UNARY_OP_SIGMOID, rules::sigmoid},
    {GGML_UNARY_OP_SOFTPLUS, rules::softplus},
    {GGML_UNARY_OP_RELU, rules::relu},
    {GGML_UNARY_OP_SILU, rules::silu},
    {GGML_UNARY_OP_GELU, rules::gelu},
    {GGML_UNARY_OP_GELU_QUICK, rules::gelu_quick},
    {GGML_UNARY_OP_ELU, rules::elu},
    {GGML_UNARY_OP_GELU_ERF, rules::gelu_erf},
    {GGML_UNARY_OP_XIELU, rules::xielu},
    {GGML_UNARY_OP_HARDSWISH, rules::hardswish},
    {GGML_UNARY_OP_HARDSIGMOID, rules::hardsigmoid},
    {GGML_UNARY_OP_EXPM1, rules::expm1},
};

constexpr glu_row glu_rules[] = {
    {GGML_GLU_OP_SWIGLU, rules::swiglu},
    {GGML_GLU_OP_GEGLU, rules::geglu},
    {GGML_GLU_OP_GEGLU_QUICK, rules::geglu_quick},
    {GGML_GLU_OP_REGLU, rules::reglu},
    {GGML_GLU_OP_GEGLU_ERF, rules::geglu_erf},
    {GGML_GLU_OP_SWIGLU_OAI, rules::swiglu_oai},
    {GGML_GLU_OP_SWIGLU_CLAMP, rules::swiglu_clamp},
};

template <typename Row, size_t N, typename Op>
rule look_up(const Row (&rows)[N], Op op) {
    for (const Row & row : rows) {
        if (row.op == op) { return row.apply; }
    }
    return nullptr;
}

}

rule find_rule(const ggml_tensor * node) {
    switch (node->op) {
    case GGML_OP_UNARY: return look_up(unary_rules, ggml_get_unary_op(node));
    case GGML_OP_GLU: return look_up(glu_rules, ggml_get_glu_op(node));
    default: return look_up(op_rules, node->op);
    }
}

bool has_no_gradient(const ggml_tensor * node) {
    switch (node->op) {
    case GGML_OP_NONE:
    case GGML_OP_ARGMAX:
    case GGML_OP_ARGSORT:
    case GGML_OP_TOP_K:
    case GGML_OP_FILL:
    case GGML_OP_ARANGE: return true;
    case GGML_OP_UNARY:
        switch (ggml_get_unary_op(node)) {
        case GGML_UNARY_OP_SGN:
        case GGML_UNARY_OP_STEP:
        case GGML_UNARY_OP_FLOOR:
        case GGML_UNARY_OP_CEIL:
        case GGML_UNARY_OP_ROUND:
        case GGML_UNARY_OP_TRUNC: return true;
        default: return false;
        }
    default: return node->type == GGML_TYPE_I32 || node->type == GGML_TYPE_I64;
    }
}

std::vector<std::string> rule_names() {
    std::vector<std::string> names;
    for (const op_row & row : op_rules) names.push_back(ggml_op_name(row.op));
    for (const unary_row & row : unary_rules) names.push_back(ggml_unary_op_name(row.op));
    for (const glu_row & row : glu_rules) names.push_back(ggml_glu_op_name(row.op));
    return names;
}

}
