/* Programs for test_native.c, by what they try. */
#ifndef TESTS_UNIT_NATIVE_CASES_H
#define TESTS_UNIT_NATIVE_CASES_H

typedef struct {
    const char *name, *inputs, *outputs, *body; /* as for native_check */
} NativeCase;

static const NativeCase native_views[] = {
    {"add", "f32[B, 3] f32[B, 3]", "%20", "  %20: f32[B, 3] = add(%10, %11)\n"},
    {"bcast", "f32[B, 7] f32[7]", "%21",
     "  %20: f32[B, 7] = broadcast(%11) dims=[B, 7] axes=[1]\n"
     "  %21: f32[B, 7] = mul(%10, %20)\n"},
    {"permute", "f32[B, 7, 5]", "%20", "  %20: f32[5, B, 7] = permute(%10) perm=[2, 0, 1]\n"},
    {"slice", "f32[B, 17]", "%20", "  %20: f32[B, 5] = slice(%10) start=[0, 13] dims=[B, 5] step=[1, -3]\n"},
    {"pad", "f32[B, 17] f32", "%20",
     "  %20: f32[B + 3, 37] = pad(%10, %11) low=[1, 2] high=[2, 2] interior=[0, 1]\n"},
    {"concat", "f32[B, 17] f32[B, 3] f32[B, 40]", "%20",
     "  %20: f32[B, 60] = concat(%10, %11, %12) axis=1\n"},
    {"concat of concats", "f32[B, 5, 17]", "%26",
     "  %20: f32[B, 5, 17] = add(%10, %10)\n"
     "  %21: f32[B, 5, 17] = neg(%10)\n"
     "  %22: f32[B, 5, 17] = mul(%20, %10)\n"
     "  %23: f32[B, 5, 17] = sub(%22, %20)\n"
     "  %24: f32[B, 10, 17] = concat(%20, %21) axis=1\n"
     "  %25: f32[B, 10, 17] = concat(%22, %23) axis=1\n"
     "  %26: f32[2*B, 10, 17] = concat(%24, %25) axis=0\n"},
    {"concat0", "i32[B, 17] i32[3, 17]", "%20", "  %20: i32[B + 3, 17] = concat(%10, %11) axis=0\n"},
    {"gather", "f32[9, B, 3] i64[B]", "%29",
     "  %20: i64 = const dims=[] dtype=i64 ivalue=9\n"
     "  %21: i64[B] = broadcast(%20) dims=[B] axes=[]\n"
     "  %22: i64[B] = mod(%11, %21)\n"
     "  %29: f32[B, B, 3] = gather(%10, %22) axis=0\n"},
    {"iota_rand", "i64 i64", "%20 %21 %22",
     "  %20: i32[B, 37] = random_bits(%10, %11) dims=[B, 37]\n"
     "  %21: f32[B, 37] = iota dims=[B, 37] dtype=f32 axis=0\n"
     "  %22: u8[B, 37] = iota dims=[B, 37] dtype=u8 axis=1\n"},
    {"multi", "f32[B, 3] f32[B, 3]", "%20 %22",
     "  %20: f32[B, 3] = add(%10, %11)\n"
     "  %21: f32[B, 3] = exp(%20)\n"
     "  %22: f32[B, 3] = mul(%21, %20)\n"},
    {"reshapes", "f32[B, 6, 4]", "%23 %26",
     "  %20: f32[B, 24] = reshape(%10) dims=[B, 24]\n"
     "  %21: f32[B, 24] = add(%20, %20)\n"
     "  %22: f32[B, 4, 6] = reshape(%21) dims=[B, 4, 6]\n"
     "  %23: f32[6, B, 4] = permute(%22) perm=[2, 0, 1]\n"
     "  %24: f32[6*B, 4] = reshape(%23) dims=[6*B, 4]\n"
     "  %25: f32[24*B] = reshape(%24) dims=[24*B]\n"
     "  %26: f32[24*B] = neg(%25)\n"},
    {"ones", "f32[B, 1, 5] f32[1, 5]", "%22 %23",
     "  %20: f32[B, 5] = reshape(%10) dims=[B, 5]\n"
     "  %21: f32[5] = reshape(%11) dims=[5]\n"
     "  %22: f32[1, B, 5] = broadcast(%20) dims=[1, B, 5] axes=[1, 2]\n"
     "  %23: f32[B, 3, 5] = broadcast(%21) dims=[B, 3, 5] axes=[2]\n"},
    {"flip", "i64[B, 19] u8[B, 19]", "%20 %21",
     "  %20: i64[B, 19] = slice(%10) start=[0, 18] dims=[B, 19] step=[1, -1]\n"
     "  %21: u8[B, 19] = slice(%11) start=[0, 18] dims=[B, 19] step=[1, -1]\n"},
    {"pad_of_pad", "i32[B, 4] i32", "%22",
     "  %20: i32[B + 2, 5] = pad(%10, %11) low=[1, 1] high=[1, 0] interior=[0, 0]\n"
     "  %21: i32[5, B + 2] = permute(%20) perm=[1, 0]\n"
     "  %22: i32[10, B + 4] = pad(%21, %11) low=[0, 1] high=[1, 1] interior=[1, 0]\n"},
    {"rotary", "f32[B, 3, 8] f32[B, 8]", "%25",
     "  %20: f32[B, 3, 4] = slice(%10) start=[0, 0, 0] dims=[B, 3, 4] step=[1, 1, 1]\n"
     "  %21: f32[B, 3, 4] = slice(%10) start=[0, 0, 4] dims=[B, 3, 4] step=[1, 1, 1]\n"
     "  %22: f32[B, 3, 4] = neg(%21)\n"
     "  %23: f32[B, 3, 8] = concat(%22, %20) axis=2\n"
     "  %24: f32[B, 3, 8] = broadcast(%11) dims=[B, 3, 8] axes=[0, 2]\n"
     "  %25: f32[B, 3, 8] = mul(%23, %24)\n"},
    {"scalar_gather", "f32[7] i64", "%22 %23",
     "  %20: i64 = const dims=[] dtype=i64 ivalue=7\n"
     "  %21: i64 = mod(%11, %20)\n"
     "  %22: f32 = gather(%10, %21) axis=0\n"
     "  %23: f32[3] = broadcast(%22) dims=[3] axes=[]\n"},
    {"shared", "f32[B, 9] f32[B, 9]", "%20 %21 %22 %24",
     "  %20: f32[B, 9] = add(%10, %11)\n"
     "  %21: f32[B, 9] = mul(%20, %11)\n"
     "  %22: f32[9, B] = permute(%21) perm=[1, 0]\n"
     "  %23: f32[9, B] = exp(%22)\n"
     "  %24: f32[9, B] = add(%23, %22)\n"},
};

static const NativeCase native_reductions[] = {
    {"sum of all", "f32[B, 70]", "%20", "  %20: f32 = reduce_sum(%10) axes=[0, 1]\n"},
    {"sum of much", "f32[B, 70000]", "%20 %21 %22",
     "  %20: f32 = reduce_sum(%10) axes=[0, 1]\n"
     "  %21: f32 = reduce_max(%10) axes=[0, 1]\n"
     "  %22: f32[70000] = reduce_sum(%10) axes=[0]\n"},
    {"sums of rows", "f32[B, 70]", "%20 %21",
     "  %20: f32[B] = reduce_sum(%10) axes=[1]\n"
     "  %21: f32[B] = reduce_max(%10) axes=[1]\n"},
    {"sums of columns", "f32[B, 70]", "%20", "  %20: f32[70] = reduce_sum(%10) axes=[0]\n"},
    {"sums of a middle axis", "f32[3, B, 70]", "%20", "  %20: f32[3, 70] = reduce_sum(%10) axes=[1]\n"},
    {"sums of outer and inner axes", "f32[3, B, 70]", "%20", "  %20: f32[B] = reduce_sum(%10) axes=[0, 2]\n"},
    {"argmax", "f32[4, 10] u8[B, 3]", "%20 %21 %22",
     "  %20: i64[4] = argmax(%10) axes=[1]\n"
     "  %21: i64[B] = argmin(%11) axes=[1]\n"
     "  %22: i64[10] = argmin(%10) axes=[0]\n"},
    {"kinds", "i32[B, 6] bool[B, 6]", "%20 %21 %22 %23 %24 %25 %26 %27",
     "  %20: i32[B] = reduce_sum(%10) axes=[1]\n"
     "  %21: i32[6] = reduce_prod(%10) axes=[0]\n"
     "  %22: i32 = reduce_max(%10) axes=[0, 1]\n"
     "  %23: i32[6] = reduce_min(%10) axes=[0]\n"
     "  %24: bool[B] = reduce_any(%11) axes=[1]\n"
     "  %25: bool[6] = reduce_all(%11) axes=[0]\n"
     "  %26: bool = reduce_all(%11) axes=[0, 1]\n"
     "  %27: i32[B] = reduce_max(%10) axes=[1]\n"},
    {"narrow_ints", "u8[B, 50] i8[B, 50] i16[B, 50]", "%20 %21 %22 %23",
     "  %20: u8[B] = reduce_sum(%10) axes=[1]\n"
     "  %21: i8[50] = reduce_min(%11) axes=[0]\n"
     "  %22: i16 = reduce_max(%12) axes=[0, 1]\n"
     "  %23: u8 = reduce_min(%10) axes=[0, 1]\n"},
    {"outer_inner", "f32[B, 4, 3, 9]", "%20 %21",
     "  %20: f32[4, 9] = reduce_sum(%10) axes=[0, 2]\n"
     "  %21: f32[B, 3] = reduce_max(%10) axes=[1, 3]\n"},
    {"produced", "f32[B, 30] f32[30]", "%23 %24",
     "  %20: f32[B, 30] = broadcast(%11) dims=[B, 30] axes=[1]\n"
     "  %21: f32[B, 30] = mul(%10, %20)\n"
     "  %22: f32[30, B] = permute(%21) perm=[1, 0]\n"
     "  %23: f32[B] = reduce_sum(%22) axes=[0]\n"
     "  %24: f32[30] = reduce_sum(%22) axes=[1]\n"},
    {"global_arg", "f32[70000]", "%20 %21",
     "  %20: i64 = argmax(%10) axes=[0]\n"
     "  %21: f32 = reduce_min(%10) axes=[0]\n"},
};

static const NativeCase native_rows[] = {
    {"softmax", "f32[B, 70]", "%26",
     "  %20: f32[B] = reduce_max(%10) axes=[1]\n"
     "  %21: f32[B, 70] = broadcast(%20) dims=[B, 70] axes=[0]\n"
     "  %22: f32[B, 70] = sub(%10, %21)\n"
     "  %23: f32[B, 70] = exp(%22)\n"
     "  %24: f32[B] = reduce_sum(%23) axes=[1]\n"
     "  %25: f32[B, 70] = broadcast(%24) dims=[B, 70] axes=[0]\n"
     "  %26: f32[B, 70] = div(%23, %25)\n"},
    {"layernorm", "f32[B, 40] f32[40] f32[40]", "%39 %22",
     "  %20: f32[B] = reduce_sum(%10) axes=[1]\n"
     "  %21: f32 = const dims=[] dtype=f32 value=40\n"
     "  %18: f32[B] = broadcast(%21) dims=[B] axes=[]\n"
     "  %22: f32[B] = div(%20, %18)\n"
     "  %23: f32[B, 40] = broadcast(%22) dims=[B, 40] axes=[0]\n"
     "  %24: f32[B, 40] = sub(%10, %23)\n"
     "  %25: f32[B, 40] = mul(%24, %24)\n"
     "  %26: f32[B] = reduce_sum(%25) axes=[1]\n"
     "  %27: f32[B] = div(%26, %18)\n"
     "  %28: f32[B] = sqrt(%27)\n"
     "  %29: f32[B, 40] = broadcast(%28) dims=[B, 40] axes=[0]\n"
     "  %19: f32 = const dims=[] dtype=f32 value=1.5\n"
     "  %17: f32[B, 40] = broadcast(%19) dims=[B, 40] axes=[]\n"
     "  %30: f32[B, 40] = add(%29, %17)\n"
     "  %31: f32[B, 40] = div(%24, %30)\n"
     "  %32: f32[B, 40] = broadcast(%11) dims=[B, 40] axes=[1]\n"
     "  %33: f32[B, 40] = mul(%31, %32)\n"
     "  %34: f32[B, 40] = broadcast(%12) dims=[B, 40] axes=[1]\n"
     "  %39: f32[B, 40] = add(%33, %34)\n"},
    {"crossentropy", "f32[B, 10] i64[B]", "%40 %33",
     "  %20: f32[B] = reduce_max(%10) axes=[1]\n"
     "  %21: f32[B, 10] = broadcast(%20) dims=[B, 10] axes=[0]\n"
     "  %22: f32[B, 10] = sub(%10, %21)\n"
     "  %23: f32[B, 10] = exp(%22)\n"
     "  %24: f32[B] = reduce_sum(%23) axes=[1]\n"
     "  %25: f32[B] = log(%24)\n"
     "  %26: i64[B, 10] = iota dims=[B, 10] dtype=i64 axis=1\n"
     "  %27: i64[B, 10] = broadcast(%11) dims=[B, 10] axes=[0]\n"
     "  %28: bool[B, 10] = eq(%26, %27)\n"
     "  %29: f32[B, 10] = cast(%28) dtype=f32\n"
     "  %30: f32[B, 10] = mul(%29, %22)\n"
     "  %31: f32[B] = reduce_sum(%30) axes=[1]\n"
     "  %32: f32[B] = sub(%25, %31)\n"
     "  %33: f32 = reduce_sum(%32) axes=[0]\n"
     "  %34: f32[B, 10] = broadcast(%24) dims=[B, 10] axes=[0]\n"
     "  %35: f32[B, 10] = div(%23, %34)\n"
     "  %40: f32[B, 10] = sub(%35, %29)\n"},
    {"variance", "f32[3, B, 7]", "%26",
     "  %20: f32[3] = reduce_sum(%10) axes=[1, 2]\n"
     "  %21: f32[3, B, 7] = mul(%10, %10)\n"
     "  %22: f32[3] = reduce_sum(%21) axes=[1, 2]\n"
     "  %23: f32[3] = mul(%20, %20)\n"
     "  %24: f32[3] = sub(%22, %23)\n"
     "  %25: f32[3, B, 7] = broadcast(%24) dims=[3, B, 7] axes=[0]\n"
     "  %26: f32[3, B, 7] = mul(%25, %10)\n"},
    {"rowsum_f16", "f16[B, 70] bf16[B, 70]", "%20 %21 %23",
     "  %20: f16[B] = reduce_sum(%10) axes=[1]\n"
     "  %21: bf16[70] = reduce_sum(%11) axes=[0]\n"
     "  %22: f16[B, 70] = broadcast(%20) dims=[B, 70] axes=[0]\n"
     "  %23: f16[B, 70] = sub(%10, %22)\n"},
    {"long_row", "f64[2, 3000]", "%22 %23",
     "  %20: f64[2] = reduce_sum(%10) axes=[1]\n"
     "  %21: f64[2, 3000] = broadcast(%20) dims=[2, 3000] axes=[0]\n"
     "  %22: f64[2, 3000] = sub(%10, %21)\n"
     "  %23: i64[2] = argmax(%22) axes=[1]\n"},
};

static const NativeCase native_products[] = {
    {"deep", "f32[6, 700, 16] f32[6, 700, 20] f32[16, 20]", "%21",
     "  %20: f32[20, 16] = contract(%10, %11) spec=\"bkr,bkc->cr\"\n"
     "  %22: f32[16, 20] = permute(%20) perm=[1, 0]\n"
     "  %21: f32[16, 20] = sub(%22, %12)\n"},
    {"matmul", "f32[B, 20] f32[20, 33] f32[33]", "%22 %20",
     "  %20: f32[B, 33] = contract(%10, %11) spec=\"mk,kn->mn\"\n"
     "  %21: f32[B, 33] = broadcast(%12) dims=[B, 33] axes=[1]\n"
     "  %22: f32[B, 33] = add(%20, %21)\n"},
    {"matmulT", "f32[B, 20] f32[B, 33]", "%20 %21",
     "  %20: f32[20, 33] = contract(%10, %11) spec=\"km,kn->mn\"\n"
     "  %21: f32[33, 20] = contract(%10, %11) spec=\"km,kn->nm\"\n"},
    {"matmul_perm", "f32[4, 20, 6] f32[6, 20, 4]", "%22",
     "  %20: f32[20, 6, 4] = permute(%10) perm=[1, 2, 0]\n"
     "  %21: f32[20, 24] = reshape(%20) dims=[20, 24]\n"
     "  %23: f32[20, 6, 4] = permute(%11) perm=[1, 0, 2]\n"
     "  %24: f32[20, 24] = reshape(%23) dims=[20, 24]\n"
     "  %22: f32[24, 24] = contract(%21, %24) spec=\"km,kn->mn\"\n"},
    {"epilogue", "f32[B, 20] f32[20, 33] f32[33] f32[B, 33]", "%26 %27",
     "  %20: f32[B, 33] = contract(%10, %11) spec=\"mk,kn->mn\"\n"
     "  %21: f32[B, 33] = broadcast(%12) dims=[B, 33] axes=[1]\n"
     "  %22: f32[B, 33] = add(%20, %21)\n"
     "  %23: f32[B, 33] = tanh(%22)\n"
     "  %24: f32[B, 33] = mul(%23, %13)\n"
     "  %25: f32 = const dims=[] dtype=f32 value=0\n"
     "  %28: f32[B, 33] = broadcast(%25) dims=[B, 33] axes=[]\n"
     "  %26: f32[B, 33] = max(%24, %28)\n"
     "  %27: bool[B, 33] = gt(%22, %28)\n"},
    {"heads", "f32[B, 20] f32[96, 20]", "%22",
     "  %20: f32[B, 96] = contract(%10, %11) spec=\"mk,nk->mn\"\n"
     "  %21: f32[B, 2, 3, 16] = reshape(%20) dims=[B, 2, 3, 16]\n"
     "  %22: f32[3, 2, B, 16] = permute(%21) perm=[2, 1, 0, 3]\n"},
    {"heads_across", "f32[100, 16] f32[100, 24]",
     "%22", /* tiles of 12 rows, which are the result's columns */
     "  %20: f32[16, 24] = contract(%10, %11) spec=\"km,kn->mn\"\n"
     "  %21: f32[16, 3, 8] = reshape(%20) dims=[16, 3, 8]\n"
     "  %22: f32[3, 16, 8] = permute(%21) perm=[1, 0, 2]\n"},
    {"batched", "f32[2, B, 3, 8] f32[2, B, 3, 8]", "%24",
     "  %20: f32[2, 3, B, 8] = permute(%10) perm=[0, 2, 1, 3]\n"
     "  %21: f32[2, 3, B, 8] = permute(%11) perm=[0, 2, 1, 3]\n"
     "  %22: f32[2, 3, B, B] = contract(%20, %21) spec=\"bhqd,bhkd->bhqk\"\n"
     "  %23: f32[2, 3, B, 8] = contract(%22, %21) spec=\"bhqk,bhkd->bhqd\"\n"
     "  %24: f32[2, B, 3, 8] = permute(%23) perm=[0, 2, 1, 3]\n"},
    {"masked", "f32[B, 9] f32[B, 9] i64", "%34 %35 %36",
     "  %20: f32[B, B] = contract(%10, %11) spec=\"mk,nk->mn\"\n"
     "  %21: i64[B] = iota dims=[B] dtype=i64 axis=0\n"
     "  %22: i64[B, B] = broadcast(%21) dims=[B, B] axes=[0]\n"
     "  %23: i64[B, B] = broadcast(%21) dims=[B, B] axes=[1]\n"
     "  %24: i64[B, B] = const dims=[B, B] dtype=i64 ivalue=20\n"
     "  %25: bool[B, B] = ge(%22, %24)\n"
     "  %26: bool[B, B] = le(%23, %22)\n"
     "  %27: bool[B, B] = and(%25, %26)\n"
     "  %28: i64[B, B] = broadcast(%12) dims=[B, B] axes=[]\n"
     "  %29: i64[B, B] = add(%22, %28)\n"
     "  %30: bool[B, B] = gt(%24, %29)\n"
     "  %31: f32[B, B] = const dims=[B, B] dtype=f32 value=-inf\n"
     "  %32: f32[B, B] = neg(%20)\n"
     "  %33: bool[B, B] = or(%27, %30)\n"
     "  %34: f32[B, B] = select(%33, %32, %31)\n"
     "  %37: f32[B, B] = contract(%11, %10) spec=\"mk,nk->mn\"\n"
     "  %38: bool[B, B] = permute(%27) perm=[1, 0]\n"
     "  %35: f32[B, B] = select(%38, %37, %31)\n"
     "  %39: f32[B, B] = contract(%11, %11) spec=\"mk,nk->mn\"\n"
     "  %40: bool[B, B] = lt(%22, %24)\n"
     "  %36: f32[B, B] = select(%40, %31, %39)\n"},
    {"vectors", "f32[B] f32[B] f32[B, 5]", "%20 %21 %22 %23",
     "  %20: f32 = contract(%10, %11) spec=\"k,k->\"\n"
     "  %21: f32[B, B] = contract(%10, %11) spec=\"m,n->mn\"\n"
     "  %22: f32[5] = contract(%10, %12) spec=\"k,kn->n\"\n"
     "  %23: f32[5] = contract(%12, %10) spec=\"km,k->m\"\n"},
    {"dtypes", "f64[B, 9] f64[9, 7] f16[B, 9] f16[9, 7] i32[B, 9] i32[9, 7] u8[B, 9] u8[9, 7]",
     "%20 %21 %22 %23",
     "  %20: f64[B, 7] = contract(%10, %11) spec=\"mk,kn->mn\"\n"
     "  %21: f16[B, 7] = contract(%12, %13) spec=\"mk,kn->mn\"\n"
     "  %22: i32[B, 7] = contract(%14, %15) spec=\"mk,kn->mn\"\n"
     "  %23: u8[B, 7] = contract(%16, %17) spec=\"mk,kn->mn\"\n"},
    {"produced", "f32[B, 9] f32[9, 7] f32[B, 7]", "%22 %23 %24",
     "  %20: f32[B, 9] = exp(%10)\n"
     "  %21: f32[B, 7] = contract(%20, %11) spec=\"mk,kn->mn\"\n"
     "  %22: f32[B, 7] = add(%21, %12)\n"
     "  %23: f32[7] = reduce_sum(%22) axes=[0]\n"
     "  %24: f32[9, 7] = contract(%10, %22) spec=\"mk,mn->kn\"\n"},
    {"sliced", "f32[B, 30] f32[10, 7]", "%22",
     "  %20: f32[B, 10] = slice(%10) start=[0, 1] dims=[B, 10] step=[1, 2]\n"
     "  %21: f32[10, 7] = slice(%11) start=[9, 0] dims=[10, 7] step=[-1, 1]\n"
     "  %22: f32[B, 7] = contract(%20, %21) spec=\"mk,kn->mn\"\n"},
};

static const NativeCase native_windows[] = {
    {"of a run-time axis", "f32[B + 4, 7]", "%20 %21 %23",
     "  %20: f32[B + 2, 3, 7] = window(%10) axis=0 size=3 stride=1 dilation=1\n"
     "  %21: f32[B + 4, 3, 3] = window(%10) axis=1 size=3 stride=2 dilation=1\n"
     "  %22: f32[(B + 1)//2 + 1, 3, 7] = window(%10) axis=0 size=3 stride=2 dilation=1\n"
     "  %23: f32[(B + 1)//2 + 1, 7] = reduce_max(%22) axes=[1]\n"},
    {"of run-time size", "f32[2*B + 3] f32[B + 2, B + 2] f32[40, B + 3]", "%20 %21 %22",
     "  %20: f32[B + 2, B + 2] = window(%10) axis=0 size=B+2 stride=1 dilation=1\n"
     "  %21: f32[2*B + 3] = window_add(%11) axis=0 size=2*B+3 stride=1 dilation=1\n"
     "  %22: f32[2*B + 122] = window_add(%12) axis=0 size=2*B+122 stride=3 dilation=2\n"},
    {"of run-time steps", "f32[2*B + 30, 3]", "%20 %21 %22",
     "  %20: f32[(B + 29)//(B + 1) + 1, B + 1, 3] = window(%10) axis=0 size=B+1 stride=B+1 dilation=1\n"
     "  %21: f32[2*B + 30, 3] = window_add(%20) axis=0 size=2*B+30 stride=B+1 dilation=1\n"
     "  %22: f32[B + 28, 2, 3] = window(%10) axis=0 size=2 stride=1 dilation=B+2\n"},
    {"pooling", "f32[B, 3, 9, 8]", "%22 %27 %28",
     "  %20: f32[B, 3, 4, 3, 8] = window(%10) axis=2 size=3 stride=2 dilation=1\n"
     "  %21: f32[B, 3, 4, 3, 4, 2] = window(%20) axis=4 size=2 stride=2 dilation=1\n"
     "  %22: f32[B, 3, 4, 4] = reduce_max(%21) axes=[3, 5]\n"
     "  %23: f32[B, 3, 4, 4, 3, 2] = permute(%21) perm=[0, 1, 2, 4, 3, 5]\n"
     "  %24: f32[B, 3, 4, 4, 6] = reshape(%23) dims=[B, 3, 4, 4, 6]\n"
     "  %27: i64[B, 3, 4, 4] = argmax(%24) axes=[4]\n"
     "  %25: f32[B, 3, 4, 3, 8] = window_add(%21) axis=4 size=8 stride=2 dilation=1\n"
     "  %28: f32[B, 3, 9, 8] = window_add(%25) axis=2 size=9 stride=2 dilation=1\n"},
    {"convolution", "f32[B, 3, 9, 8] f32[5, 3, 3, 2] f32", "%23 %25 %26 %28",
     "  %20: f32[B, 3, 11, 10] = pad(%10, %12) low=[0, 0, 1, 1] high=[0, 0, 1, 1] interior=[0, 0, 0, 0]\n"
     "  %21: f32[B, 3, 5, 3, 10] = window(%20) axis=2 size=3 stride=2 dilation=1\n"
     "  %22: f32[B, 3, 5, 3, 8, 2] = window(%21) axis=4 size=2 stride=1 dilation=2\n"
     "  %23: f32[B, 5, 5, 8] = contract(%22, %11) spec=\"bchiwj,ocij->bohw\"\n"
     "  %24: f32[B, 3, 5, 3, 8, 2] = contract(%23, %11) spec=\"bohw,ocij->bchiwj\"\n"
     "  %25: f32[B, 3, 5, 3, 10] = window_add(%24) axis=4 size=10 stride=1 dilation=2\n"
     "  %26: f32[B, 3, 11, 10] = window_add(%25) axis=2 size=11 stride=2 dilation=1\n"
     "  %28: f32[5, 3, 3, 2] = contract(%23, %22) spec=\"bohw,bchiwj->ocij\"\n"},
    {"groups", "f32[B, 6, 9] f32[2, 4, 3, 3]", "%24 %27",
     "  %20: f32[B, 6, 7, 3] = window(%10) axis=2 size=3 stride=1 dilation=1\n"
     "  %21: f32[B, 2, 3, 7, 3] = reshape(%20) dims=[B, 2, 3, 7, 3]\n"
     "  %22: f32[B, 2, 4, 7] = contract(%21, %11) spec=\"bgcik,gock->bgoi\"\n"
     "  %23: f32[B, 8, 7] = reshape(%22) dims=[B, 8, 7]\n"
     "  %24: f32[B, 8, 7] = tanh(%23)\n"
     "  %25: f32[B, 2, 3, 7, 3] = contract(%22, %11) spec=\"bgoi,gock->bgcik\"\n"
     "  %26: f32[B, 6, 7, 3] = reshape(%25) dims=[B, 6, 7, 3]\n"
     "  %27: f32[B, 6, 9] = window_add(%26) axis=2 size=9 stride=1 dilation=1\n"},
    {"correlation", "f32[B + 3, 2] f32[3, 4]", "%21",
     "  %20: f32[B + 1, 3, 2] = window(%10) axis=0 size=3 stride=1 dilation=1\n"
     "  %21: f32[B + 1, 4, 2] = contract(%20, %11) spec=\"iks,ko->ios\"\n"},
};

/* Whose sums gain products with zeros, which infinite factors would show. */
static const NativeCase native_phases[] = {
    {"phases", "f32[B, 2, 2, 5, 20] f32[2, 2, 3, 3, 3]", "%24 %25 %26",
     "  %20: f32[B, 2, 3, 5, 3, 20, 3] = contract(%10, %11) spec=\"bgohw,gocij->bgchiwj\"\n"
     "  %21: f32[B, 2, 3, 5, 3, 42] = window_add(%20) axis=5 size=42 stride=2 dilation=1\n"
     "  %22: f32[B, 2, 3, 11, 42] = window_add(%21) axis=3 size=11 stride=2 dilation=1\n"
     "  %23: f32[B, 2, 3, 10, 40] = slice(%22) start=[0, 0, 0, 1, 1] dims=[B, 2, 3, 10, 40] step=[1, 1, 1, "
     "1, 1]\n"
     "  %24: f32[B, 2, 3, 10, 40] = tanh(%23)\n"
     "  %25: f32[2, 3] = reduce_sum(%23) axes=[0, 3, 4]\n"
     "  %26: f32[B, 2, 3, 10] = reduce_max(%24) axes=[4]\n"},
    {"phases of a run-time axis", "f32[2*B + 8] f32[3, B + 3] f32[3, 4]", "%23 %24",
     "  %20: f32[B + 3, 4] = contract(%11, %12) spec=\"oi,ok->ik\"\n"
     "  %21: f32[2*B + 8] = window_add(%20) axis=0 size=2*B+8 stride=2 dilation=1\n"
     "  %22: f32[2*B + 5] = slice(%21) start=[1] dims=[2*B + 5] step=[1]\n"
     "  %23: f32[2*B + 5] = mul(%22, %22)\n"
     "  %24: f32[2*B + 8] = add(%10, %10)\n"},
    {"phases that no window reaches", "f32[B, 4, 3, 17] f32[4, 2, 2, 1] f32[B, 2, 11, 72]", "%23 %24",
     "  %20: f32[B, 2, 3, 2, 17, 1] = contract(%10, %11) spec=\"bohw,ocij->bchiwj\"\n"
     "  %21: f32[B, 2, 3, 2, 68] = window_add(%20) axis=4 size=68 stride=4 dilation=1\n"
     "  %22: f32[B, 2, 11, 68] = window_add(%21) axis=2 size=11 stride=4 dilation=2\n"
     "  %25: f32 = const dims=[] dtype=f32 value=0\n"
     "  %26: f32[B, 2, 11, 72] = pad(%22, %25) low=[0, 0, 0, 1] high=[0, 0, 0, 3] interior=[0, 0, 0, 0]\n"
     "  %23: f32[B, 2, 11, 72] = add(%26, %12)\n"
     "  %24: f32[B, 2, 11] = reduce_sum(%26) axes=[3]\n"},
    {"phases of half floats", "f16[B, 4, 24] f16[4, 2, 3]", "%22",
     "  %20: f16[B, 2, 24, 3] = contract(%10, %11) spec=\"bow,ocj->bcwj\"\n"
     "  %21: f16[B, 2, 49] = window_add(%20) axis=2 size=49 stride=2 dilation=1\n"
     "  %22: f16[B, 2, 49] = neg(%21)\n"},
};

static const NativeCase native_scatters[] = {
    {"scatter", "f32[9, 3] i32[B] f32[B, 3]", "%29",
     "  %20: i32 = const dims=[] dtype=i32 ivalue=9\n"
     "  %21: i32[B] = broadcast(%20) dims=[B] axes=[]\n"
     "  %22: i32[B] = mod(%11, %21)\n"
     "  %29: f32[9, 3] = scatter_add(%10, %22, %12) axis=0\n"},
    {"update", "f32[9, B, 5] f32[2, B, 3] i64", "%29 %28",
     "  %20: i64 = const dims=[] dtype=i64 ivalue=3\n"
     "  %21: i64 = mod(%12, %20)\n"
     "  %29: f32[9, B, 5] = update_slice(%10, %11, %20, %21) axes=[0, 2]\n"
     "  %28: f32[2, B, 3] = dynamic_slice(%29, %20, %21) axes=[0, 2] dims=[2, B, 3]\n"},
    {"middle", "f32[B, 9, 3] i64[2, 4] f32[B, 2, 4, 3]", "%29",
     "  %20: i64 = const dims=[] dtype=i64 ivalue=9\n"
     "  %21: i64[2, 4] = broadcast(%20) dims=[2, 4] axes=[]\n"
     "  %22: i64[2, 4] = mod(%11, %21)\n"
     "  %29: f32[B, 9, 3] = scatter_add(%10, %22, %12) axis=1\n"},
    {"tape", "f32[6, B] f32[B]", "%30",
     "  %20: i64 = const dims=[] dtype=i64 ivalue=0\n"
     "  %21: i64 = const dims=[] dtype=i64 ivalue=6\n"
     "  %30: f32[6, B], %31: f32[B] = for(%20, %21, %10, %11) {\n"
     "    (%22: i64, %23: f32[6, B], %24: f32[B]):\n"
     "    %25: f32[1, B] = reshape(%24) dims=[1, B]\n"
     "    %26: f32[6, B] = update_slice(%23, %25, %22) axes=[0]\n"
     "    %27: f32[B] = add(%24, %24)\n"
     "    yield(%26, %27)\n"
     "  }\n"},
    {"of_zeros", "i8[B, 4] i32[B]", "%24",
     "  %20: i32 = const dims=[] dtype=i32 ivalue=3\n"
     "  %21: i32[B] = broadcast(%20) dims=[B] axes=[]\n"
     "  %22: i32[B] = mod(%11, %21)\n"
     "  %23: i8[3, 4] = const dims=[3, 4] dtype=i8 ivalue=0\n"
     "  %24: i8[3, 4] = scatter_add(%23, %22, %10) axis=0\n"},
};

/* Products on the same outer axes, computed part by part. */
static const NativeCase native_chains[] = {
    {"noise", "f32[B, B, 8] f32[8, B, 9] f32[B, 9, 3] i64", "%24 %25",
     "  %20: f32[B, B, 9] = contract(%10, %11) spec=\"bmk,kbn->bmn\"\n"
     "  %21: i32[B, B, 9] = random_bits(%13, %13) dims=[B, B, 9]\n"
     "  %22: f32[B, B, 9] = cast(%21) dtype=f32\n"
     "  %23: f32[B, B, 9] = mul(%20, %22)\n"
     "  %24: f32[B, B, 3] = contract(%23, %12) spec=\"bmn,bne->mbe\"\n"
     "  %25: f32[B, B] = reduce_sum(%23) axes=[2]\n"},
    {"totals", "f32[B, B, 8] f32[B, 1, 8] f32[B, 1, 3]", "%25",
     "  %20: f32[B, B, 1] = contract(%10, %11) spec=\"bmk,bnk->bmn\"\n"
     "  %21: f32[B, B, 1] = tanh(%20)\n"
     "  %22: f32[B, 1] = reduce_sum(%21) axes=[1]\n"
     "  %23: f32[B, B, 1] = broadcast(%22) dims=[B, B, 1] axes=[0, 2]\n"
     "  %24: f32[B, B, 1] = mul(%21, %23)\n"
     "  %25: f32[B, B, 3] = contract(%24, %12) spec=\"bmn,bne->bme\"\n"},
    {"in_order", "f32[B, B, 4] f32[B, B, 4] f32[7, 4]", "%22 %24 %25",
     "  %20: f32[B, B, B] = contract(%10, %11) spec=\"bmk,bnk->bmn\"\n"
     "  %21: f32[B, B, B] = exp(%20)\n"
     "  %22: f32[B, B, 4] = contract(%21, %10) spec=\"bmn,bnk->bmk\"\n"
     "  %23: f32[B, B, B] = tanh(%21)\n"
     "  %24: f32[B, B, 4] = contract(%23, %11) spec=\"bnm,bnk->bmk\"\n"
     "  %25: f32[B, B, 7] = contract(%22, %12) spec=\"amk,bk->amb\"\n"},
    /* Tiles of an unknown number of pictures; the places are odd. */
    {"tiles", "f32[B, 3, 8] f32[3, 3, 5] f32[B, 5, 7]", "%31",
     "  %20: f32[B, 3, 7, 2] = window(%10) axis=2 size=2 stride=1 dilation=1\n"
     "  %21: f32[B, 3, 7, 1] = slice(%20) start=[0, 0, 0, 0] dims=[B, 3, 7, 1] step=[1, 1, 1, 1]\n"
     "  %22: f32[B, 3, 7, 1] = slice(%20) start=[0, 0, 0, 1] dims=[B, 3, 7, 1] step=[1, 1, 1, 1]\n"
     "  %23: f32[B, 3, 7, 1] = add(%21, %22)\n"
     "  %24: f32[B, 3, 7, 1] = sub(%21, %22)\n"
     "  %25: f32[B, 3, 7, 3] = concat(%23, %22, %24) axis=3\n"
     "  %26: f32[B, 5, 7, 3] = contract(%25, %11) spec=\"bcwe,eco->bowe\"\n"
     "  %27: f32[B, 5, 7, 1] = slice(%26) start=[0, 0, 0, 0] dims=[B, 5, 7, 1] step=[1, 1, 1, 1]\n"
     "  %28: f32[B, 5, 7, 1] = slice(%26) start=[0, 0, 0, 2] dims=[B, 5, 7, 1] step=[1, 1, 1, 1]\n"
     "  %29: f32[B, 5, 7, 1] = mul(%27, %28)\n"
     "  %30: f32[B, 5, 7] = reshape(%29) dims=[B, 5, 7]\n"
     "  %31: f32[B, 5, 7] = add(%30, %12)\n"},
};

#endif
