/* Linking, replacing, walking, copying. */
#include "ir/text.h"
#include "ir/verify.h"
#include "support/map.h"
#include "tests/unit/session.h"
#include <criterion/criterion.h>

typedef struct {
    Session s;
    Graph *graph;
    Function *f;
    Builder b;
    Value *x;
} Fixture;

static Fixture fixture_new(void) {
    Fixture x = {.s = session_new()};
    x.graph = graph_new(x.s.ir, "t");
    x.f = graph_function(x.graph, FUNCTION_EXPORT, "f");
    x.x = block_param(x.f->body, type_scalar(x.s.ir, DTYPE_f32), "x");
    vec_push(x.s.arena, &x.f->params, ((Param){.value = x.x, .name = "x"}));
    x.b = (Builder){.graph = x.graph, .block = x.f->body};
    return x;
}

Test(graph, replacements_chain_and_come_back) {
    Fixture t = fixture_new();
    Value *a = build_unary(&t.b, OP_exp, t.x), *b = build_unary(&t.b, OP_sin, a),
          *c = build_unary(&t.b, OP_cos, b);
    build_yield(&t.b, 1, &c);
    value_replace(c, b);
    value_replace(b, a);
    cr_expect(value_resolve(c) == a);
    value_replace(a, c); /* and back */
    cr_expect(value_resolve(a) == c && value_resolve(b) == c && value_resolve(c) == c);
    session_free(&t.s);
}

Test(graph, links) {
    Fixture t = fixture_new();
    Node *a = build_unary(&t.b, OP_exp, t.x)->node, *c = build_unary(&t.b, OP_cos, t.x)->node;
    Builder before = t.b;
    before.before = c;
    Node *b = build_unary(&before, OP_sin, t.x)->node;
    cr_expect(a->next == b && b->next == c && c->prev == b && t.f->body->last == c);
    node_remove(b);
    cr_expect(a->next == c && c->prev == a && !b->block);
    node_insert_after(c, b);
    cr_expect(t.f->body->last == b && !b->next);
    node_remove(a);
    cr_expect(t.f->body->first == c && !c->prev);
    session_free(&t.s);
}

Test(graph, attributes_are_owned_and_replaced) {
    Fixture t = fixture_new();
    int64_t axes[] = {3, 4};
    Node *node = build_unary(&t.b, OP_exp, t.x)->node;
    node_set_attr(node, attr_ints(ATTR_axes, 2, axes));
    axes[0] = 9;
    cr_expect(node_attr(node, ATTR_axes)->ints[0] == 3);
    node_set_attr(node, attr_ints(ATTR_axes, 1, axes));
    cr_expect(node->attr_count == 1 && node_attr(node, ATTR_axes)->ints[0] == 9);
    cr_expect(!node_attr(node, ATTR_axis));
    session_free(&t.s);
}

/* What was replaced without graph_resolve, names, places, and a parameter that the function knows. */
Test(graph, moves_as_it_is) {
    Fixture t = fixture_new();
    Value *a = build_unary(&t.b, OP_exp, t.x), *b = build_unary(&t.b, OP_sin, a),
          *c = build_unary(&t.b, OP_cos, a);
    build_yield(&t.b, 1, &b);
    c->name = intern(ir_strings(t.s.ir), "kept");
    c->place = (Place){.frame = 3, .offset = dim_const(t.s.ir, 64)};
    value_replace(b, c);
    graph_compact(t.graph);
    const Node *yield = block_yield(t.f->body);
    const Value *result = yield->operands[0];
    cr_expect(result->node->op == OP_cos && result == yield->prev->results[0]);
    cr_expect_str_eq(result->name, "kept");
    cr_expect(result->place.frame == 3 && dim_is(result->place.offset, 64));
    cr_expect(t.f->params.at[0].value == t.f->body->params.at[0] && result->id == 3);
    cr_expect_null(graph_verify(t.graph, t.s.arena));
    session_free(&t.s);
}

/* Few changes: nothing moves, and yet all is resolved, numbered and forgotten. */
Test(graph, settles_where_it_is) {
    Fixture t = fixture_new();
    Value *x = t.x;
    for (int i = 0; i < 40; i++) x = build_unary(&t.b, OP_exp, x);
    build_yield(&t.b, 1, &x);
    graph_compact(t.graph);
    Node *last = block_yield(t.f->body)->prev, *before = last->prev;
    last->scratch = last->results[0]->scratch = t.graph;
    value_replace(before->results[0], before->operands[0]);
    node_remove(before);
    graph_settle(t.graph);
    cr_expect(block_yield(t.f->body)->prev == last && last->operands[0] == last->prev->results[0]);
    cr_expect(!last->scratch && !last->results[0]->scratch);
    cr_expect_eq(last->results[0]->id, last->operands[0]->id + 1);
    cr_expect_null(graph_verify(t.graph, t.s.arena));
    session_free(&t.s);
}

Test(graph, operands_grow_one_by_one) {
    Fixture t = fixture_new();
    build_yield(&t.b, 1, &t.x);
    Node *yield = block_yield(t.f->body);
    for (uint32_t i = 1; i < 100; i++)
        node_add_operand(yield,
                         build_int(&(Builder){.graph = t.graph, .block = t.f->body, .before = yield}, i));
    cr_expect(yield->operand_count == 100 && yield->operands[0] == t.x);
    for (uint32_t i = 1; i < 100; i++) cr_expect_eq(node_int(yield->operands[i]->node, ATTR_ivalue), i);
    session_free(&t.s);
}

static void remove_sines(void *user, Node *node) {
    (*(int *)user)++;
    if (node->op != OP_sin) return;
    value_replace(node->results[0], node->operands[0]);
    node_remove(node);
}

Test(graph, walk_may_remove) {
    Session s = session_new();
    Graph *graph = session_function(&s, "%0: f32 as \"x\", %1: bool as \"c\"",
                                    "%2: f32 = sin(%0) %3: f32 = if(%1) { %4: f32 = sin(%2) yield(%4) } { "
                                    "%5: f32 = exp(%2) yield(%5) } %6: f32 = sin(%3) yield(%6)");
    int visits = 0;
    graph_walk(graph, remove_sines, &visits);
    graph_resolve(graph);
    cr_expect(visits == 8 && session_count(graph, OP_sin) == 0);
    cr_expect(!graph_verify(graph, s.arena));
    session_free(&s);
}

/* --- copies */
Test(graph, copies_have_symbols_of_their_own) {
    Session s = session_new();
    Graph *graph = session_function(
        &s, "%0: i64 as \"n\", %1: bool as \"c\"",
        "%2: i64 = if(%1) { symbol(%0) dim=N %3: i64[N, 2] = iota dims=[N, 2] dtype=i64 axis=0 "
        "%4: i64 = reduce_sum(%3) axes=[0, 1] yield(%4) } { yield(%0) } yield(%2)");
    Block *body = graph->functions.at[0]->body;
    Node *original = body->first;
    Node *copy = node_clone(graph, original, map_new(s.arena));
    node_insert_after(original, copy);
    cr_expect(!graph_verify(graph, s.arena), "%s", graph_verify(graph, s.arena));
    cr_expect(copy->block_count == 2 && copy->blocks[0]->owner == copy && copy->blocks[0]->function);
    const char *name = dim_symbol_name(node_dim(copy->blocks[0]->first, ATTR_dim));
    cr_expect_str_eq(name, "N.1");
    cr_expect(copy->blocks[0]->first->next->results[0]->type->dims[0] == dim_symbol(s.ir, "N.1"));
    session_free(&s);
}

Test(graph, inlining_maps_outer_values) {
    Session s = session_new();
    Graph *graph =
        session_function(&s, "%0: f32 as \"x\", %1: f32 as \"y\", %2: bool as \"c\"",
                         "%3: f32 = if(%2) { %4: f32 = add(%0, %1) yield(%4) } { yield(%0) } yield(%3)");
    Block *body = graph->functions.at[0]->body;
    Map *map = map_new(s.arena);
    map_put(map, body->params.at[0], body->params.at[1]);
    Value **results = block_inline(graph, body->first->blocks[0], body->last, map);
    cr_expect(results[0]->node->op == OP_add && results[0]->node == body->last->prev);
    cr_expect(results[0]->node->operands[0] == body->params.at[1]);
    cr_expect(!graph_verify(graph, s.arena));
    session_free(&s);
}

Test(graph, uses) {
    Session s = session_new();
    Graph *graph =
        session_function(&s, "%0: f32 as \"x\"", "%1: f32 = add(%0, %0) %2: f32 = mul(%1, %0) yield(%2)");
    uint32_t *uses = graph_count_uses(graph, s.arena);
    cr_expect(uses[0] == 3 && uses[1] == 1 && uses[2] == 1);
    session_free(&s);
}
