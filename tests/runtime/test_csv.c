/* Tables: what RFC 4180 allows, which columns go where, numbers and names, files that mean harm. */
#include "child.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(csv, .init = make_folder, .fini = remove_folder);

static const nn_loc here = {"net.nn", 7, 5};
static const int64_t two[] = {2};

/* The settings of the next table, in the order of its format. */
static const char *settings[] = {"t.csv", "", "", ",", "true", ""};
enum { COLUMNS = 1, LABEL, SEPARATOR, HEADER, MISSING };

static int32_t label_dtype = NN_U8;

/* Columns f64[2] and the label's type; prints a line for each sample. */
static void print_table(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_tensor columns[] = {{.dims = two, .dtype = NN_F64, .rank = 1}, {.dtype = label_dtype}};
    nn_data *data = nn_data_open(rt, &here, "csv", 6, settings, 2, columns);
    for (int64_t i = 0, count = nn_data_len(rt, data); i < count; i++) {
        double x[2];
        uint64_t label;
        nn_data_read(rt, &here, data, i, 1, (void *[]){x, &label});
        nn_tensor out[] = {{.data = x, .dtype = NN_F64},
                           {.data = x + 1, .dtype = NN_F64},
                           {.data = &label, .dtype = label_dtype}};
        nn_print(rt, "{} {} {}", 3, out);
    }
}

static void write_text(const char *text) { write_file("t.csv", text, strlen(text)); }

static void expect_rows(const char *text, const char *rows) {
    write_text(text);
    expect(print_table, 0, rows, "");
}

static void expect_refused(const char *text, const char *message) {
    char line[512];
    snprintf(line, sizeof line, "error: net.nn:7:5: cannot read the dataset: %s\n", message);
    write_text(text);
    expect(print_table, 1, "", line);
}

/* --- text */
Test(csv, rows) {
    static const char rows[] = "1.0 2.0 3\n4.0 5.0 6\n";
    expect_rows("a,b,c\n1,2,3\n4,5,6\n", rows);
    expect_rows("a,b,c\n1,2,3\n4,5,6", rows);
    expect_rows("a,b,c\r\n1,2,3\r\n4,5,6\r\n", rows);
    expect_rows("a,b,c\r\n1,2,3\r\n4,5,6\r", rows);
    expect_rows("\xef\xbb\xbf"
                "a,b,c\n1,2,3\n4,5,6\n",
                rows);
    expect_rows("a,b,c\n\n1,2,3\n\r\n\n4,5,6\n\n\n", rows);
    expect_rows("a,b,c\n 1 ,\t2,3 \n4, 5 ,6\n", rows);
    expect_rows("\"a\",\"b\",\"c\"\n\"1\",\"2\" , \"3\"\n4,\"5\",\"6\"", rows);
    expect_rows("a,b,c\n", "");
    expect_rows("a,b,c", "");
}

Test(csv, quotes) {
    static const char table[] = "x,\"a, \"\"b\"\"\nc\",y,z\n1,\"two\nlines \"\"and\"\" a, comma\",3,4\n";
    settings[COLUMNS] = "x,z";
    settings[LABEL] = "y";
    expect_rows(table, "1.0 4.0 3\n");
    settings[COLUMNS] = "\"a, \"\"b\"\"\nc\",z";
    expect_refused(
        table,
        "`t.csv`, line 3, column 2 (`a, \"b\"\\nc`): expected f64, found `two\\nlines \"and\" a, comma`");
}

Test(csv, bad_text) {
    expect_refused("", "`t.csv` is empty: a table has at least one row");
    expect_refused("\n\r\n", "`t.csv` is empty: a table has at least one row");
    expect_refused("a,b,c\n1,2,3\n1,\"2,3\n4,5,6\n",
                   "`t.csv`, line 3, column 2: the quote that begins this cell is not closed");
    expect_refused("a,b,c\n1,\"2\"x,3\n",
                   "`t.csv`, line 2, column 2: after the closing quote a separator or the "
                   "end of the row is expected, found `x`");
    expect_refused("a,b,c\n1,2,3\n4,5\n", "`t.csv`, line 3: expected 3 cells, as in the first row, found 2");
    expect_refused("a,b,c\n1,2,3\n4,5,6,\n",
                   "`t.csv`, line 3: expected 3 cells, as in the first row, found more");
    expect_refused("a,b,c\n1,2,\n", "`t.csv`, line 2, column 3 (`c`): expected u8, found an empty cell "
                                    "(`missing=\"0\"` would read such cells as 0)");
    expect_refused("a,b,c\n1,nan,3\n", "`t.csv`, line 2, column 2 (`b`): expected f64, found `nan` "
                                       "(`missing=\"0\"` would read such cells as 0)");
    expect_refused("\xff\xfe"
                   "a,",
                   "`t.csv` is text in UTF-16: save it as UTF-8");
    expect_refused("\x1f\x8b",
                   "`t.csv` is gzip data: unpack it first, or give `/dev/stdin` and what `zcat` writes");
    expect_refused("PK\3\4", "`t.csv` is a zip archive or a spreadsheet: save the table as CSV");
    expect_refused("1,2,3\n4,5,6\n",
                   "`t.csv` has numbers in its first row, where the names of the columns are expected: give "
                   "`header=false` if it has none");
    expect_refused("1,,3\n4,5,6\n",
                   "`t.csv` has numbers in its first row, where the names of the columns are expected: give "
                   "`header=false` if it has none");
    expect_rows("0,1,2\n4,5,6\n", "4.0 5.0 6\n");
    write_file("t.csv", "a,b,c\n1,2\0,3\n", 14);
    expect(print_table, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `t.csv`, line 2, column 2: a NUL byte: this is no "
           "text in "
           "UTF-8\n");
}

static void expect_long(char fill, const char *begin, const char *message) {
    enum { BYTES = 100 << 20 };
    char line[512];
    FILE *file = fopen("t.csv", "wb");
    char *part = malloc(1 << 20);
    memset(part, fill, 1 << 20);
    fputs(begin, file);
    for (int i = 0; i < BYTES >> 20; i++) fwrite(part, 1, 1 << 20, file);
    fclose(file);
    free(part);
    snprintf(line, sizeof line, "error: net.nn:7:5: cannot read the dataset: `t.csv`%s\n", message);
    expect(print_table, 1, "", line);
}

/* What has no end is given up early, without memory for all of it. */
Test(csv, long_rows) {
    expect_long(
        'x', "",
        ", line 1, column 1: the row is longer than 64 MiB: is a quote not closed, or is it no table?");
    expect_long(
        'x', "a,b,c\n1,2,3\n4,\"",
        ", line 3, column 2: the row is longer than 64 MiB: is a quote not closed, or is it no table?");
    expect_long(',', "", " has more than 1048576 columns");
    expect_long(',', "a,b,c\n1,2,3", ", line 2: expected 3 cells, as in the first row, found more");
}

/* Cells longer than what is read at a time. */
Test(csv, long_cells) {
    static const char *const begins[] = {"a,note,b,c\n1,", "a,note,b,c\n1,\""}, *const ends[] = {",2,3\n",
                                                                                                 "\",2,3\n"};
    enum { BYTES = 3 << 20 };
    char *text = malloc(BYTES + 64);
    settings[COLUMNS] = "a,b";
    settings[LABEL] = "c";
    for (int i = 0; i < 2; i++) {
        strcpy(text, begins[i]);
        size_t length = strlen(text);
        memset(text + length, 'x', BYTES);
        strcpy(text + length + BYTES, ends[i]);
        expect_rows(text, "1.0 2.0 3\n");
    }
    free(text);
}

/* Every way of cutting the text into parts that are read at a time gives the same cells. */
Test(csv, many_rows) {
    enum { ROWS = 200000 };
    FILE *file = fopen("t.csv", "wb");
    fputs("a,b,c\n", file);
    for (int i = 0; i < ROWS; i++) fprintf(file, "%d,\"%d\",%d\n", i, i % 1000, i % 7);
    fclose(file);
    Outcome outcome = run_body(print_table, NULL);
    cr_expect_eq(outcome.status, 0, "%s", outcome.err);
    const char *at = outcome.out;
    for (int i = 0; i < ROWS; i++) {
        char row[64];
        int length = snprintf(row, sizeof row, "%d.0 %d.0 %d\n", i, i % 1000, i % 7);
        cr_assert_eq(strncmp(at, row, (size_t)length), 0, "row %d", i);
        at += length;
    }
    outcome_free(&outcome);
}

Test(csv, no_regular_file) {
    expect(print_table, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `t.csv`: No such file or directory\n");
    mkdir("t.csv", 0777);
    expect(print_table, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `t.csv`: is a directory, not a file\n");
    rmdir("t.csv");
    mkfifo("t.csv", 0666);
    expect(print_table, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `t.csv`: nothing came through this pipe\n");
    unlink("t.csv");
    cr_assert_eq(symlink("/proc/self/status", "t.csv"), 0);
    expect(print_table, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `t.csv`: does not say how long it is: copy it and "
           "give the "
           "copy\n");
}

/* --- columns */
static const char table[] = "id,height,kind,width\n7,1,2,3\n8,4,5,6\n";

Test(csv, chosen_columns) {
    settings[COLUMNS] = "width, height";
    settings[LABEL] = "kind";
    expect_rows(table, "3.0 1.0 2\n6.0 4.0 5\n");
    settings[COLUMNS] = "width,1,kind";
    settings[LABEL] = "";
    expect_rows(table, "3.0 1.0 2\n6.0 4.0 5\n");
    settings[COLUMNS] = "-1,-3";
    settings[LABEL] = "2";
    expect_rows(table, "3.0 1.0 2\n6.0 4.0 5\n");
    settings[COLUMNS] = "";
    settings[LABEL] = "a";
    expect_rows("a,b,c\n1,2,3\n", "2.0 3.0 1\n");
    settings[SEPARATOR] = "\t";
    expect_rows("b\ta\tc\n1\t 2\t3\n", "1.0 3.0 2\n");
    settings[SEPARATOR] = ";";
    settings[HEADER] = "false";
    settings[LABEL] = "-3";
    expect_rows("1;2;3\n", "2.0 3.0 1\n");
    settings[LABEL] = "";
    expect_rows("1;2;3\n4;5;6\n", "1.0 2.0 3\n4.0 5.0 6\n");
}

Test(csv, wrong_columns) {
    expect_refused(table, "`t.csv` has 4 columns: `id`, `height`, `kind`, `width`; the program declares 3");
    settings[LABEL] = "sort";
    expect_refused(table, "`t.csv` has no column `sort` among its 4: `id`, `height`, `kind`, `width`");
    settings[LABEL] = "4";
    expect_refused(table, "`t.csv` has no column `4` among its 4: `id`, `height`, `kind`, `width`");
    settings[LABEL] = "kind";
    settings[COLUMNS] = "id";
    expect_refused(table, "`t.csv`: 2 columns are chosen, the program declares 3");
    settings[COLUMNS] = "id,id";
    expect_refused(table, "column 1 of `t.csv` is wanted twice");
    settings[COLUMNS] = "id,kind";
    expect_refused(table, "column 3 of `t.csv` is wanted twice");
    settings[COLUMNS] = "id,\"height";
    expect_refused(table, "the list of columns: the quote that begins this cell is not closed");
    settings[COLUMNS] = "a,b";
    settings[LABEL] = "c";
    expect_refused("a,b,c,a\n1,2,3,4\n",
                   "`t.csv` has several columns of one name: choose columns by their numbers, from 0");
    settings[COLUMNS] = settings[LABEL] = "";
    expect_refused("a;b;c\n1;2;3\n", "`t.csv` has 1 column: `a;b;c`; the program declares 3 (perhaps with "
                                     "`separator=\";\"`)");
    static const char *const separators[] = {"", "ab", "\"", "\n", "e", "7", "-"};
    for (size_t i = 0; i < sizeof separators / sizeof *separators; i++) {
        char message[128], shown[8];
        strcpy(shown, strcmp(separators[i], "\n") ? separators[i] : "\\n");
        snprintf(message, sizeof message,
                 "the separator of a table is one character that no number has, not `%s`", shown);
        settings[SEPARATOR] = separators[i];
        expect_refused(table, message);
    }
}

Test(csv, one_name_twice) {
    settings[COLUMNS] = "1,3";
    settings[LABEL] = "2";
    expect_rows("a,b,c,a\n1,2,3,4\n", "2.0 4.0 3\n");
}

/* --- cells */
Test(csv, floats) {
    static const struct {
        const char *text;
        double x;
    } cells[] = {{"0", 0},
                 {"+1.50", 1.5},
                 {"-.5", -0.5},
                 {"5.", 5},
                 {"1e3", 1e3},
                 {"1E-3", 1e-3},
                 {"0.1", 0.1},
                 {"123456789012345678", 123456789012345678.0},
                 {"9007199254740993", 9007199254740992.0},
                 {"1.7976931348623157e308", 1.7976931348623157e308},
                 {"4.9406564584124654e-324", 0}, /* denormal */
                 {"1e-400", 0},
                 {"0.000000000000000000000000000000000000001", 1e-39},
                 {"2.2250738585072011e-308", 0}, /* the largest denormal, */
                 {"2.2250738585072014e-308", 2.2250738585072014e-308},
                 {"8.41e22", 8.41e22},
                 {"1e-25", 1e-25},
                 {"123.456e-27", 123.456e-27},
                 {"7e24", 7e24},
                 {"0.00000000000000000000000125", 1.25e-24},
                 {"3.14159265358979323846264338327950288419716939937510", 3.14159265358979323846}};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        char text[256];
        snprintf(text, sizeof text, "a,b,c\n%s,0,0\n", cells[i].text);
        write_text(text);
        Outcome outcome = run_body(print_table, NULL);
        cr_expect_eq(outcome.status, 0, "%s", outcome.err);
        cr_expect_eq(strtod(outcome.out, NULL), cells[i].x, "%s: %s", cells[i].text, outcome.out);
        outcome_free(&outcome);
    }
    static const char *const wrong[] = {"x",   ".",   "1e",    "1e+", "--1", "0x10",  "inf", "Infinity",
                                        "1_0", "1 0", "1.2.3", "1,5", "e5",  "1e999", "$3",  "50%"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[64], message[128];
        snprintf(text, sizeof text, "a,b,c\n0,\"%s\",0\n", wrong[i]);
        snprintf(message, sizeof message, "`t.csv`, line 2, column 2 (`b`): expected f64, found `%s`",
                 wrong[i]);
        expect_refused(text, message);
    }
}

static void open_small_float(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_tensor column = {.dtype = NN_F16};
    nn_data *data = nn_data_open(rt, &here, "csv", 6, settings, 1, &column);
    uint16_t x;
    nn_data_read(rt, &here, data, 0, 1, (void *[]){&x});
    nn_print(rt, "{}", 1, &(nn_tensor){.data = &x, .dtype = NN_F16});
}

Test(csv, small_floats) {
    write_text("a\n0.1\n");
    expect(open_small_float, 0, "0.1\n", "");
    write_text("a\n70000\n");
    expect(open_small_float, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `t.csv`, line 2, column 1 (`a`): expected f16, found "
           "`70000`, "
           "which is too large for it\n");
}

static void expect_label(int32_t dtype, const char *cell, const char *shown) {
    char text[128], row[128];
    label_dtype = dtype;
    snprintf(text, sizeof text, "a,b,c\n0,0,%s\n", cell);
    snprintf(row, sizeof row, "0.0 0.0 %s\n", shown);
    expect_rows(text, row);
}

static void expect_no_label(int32_t dtype, const char *cell, const char *expected, const char *hint) {
    char text[128], message[256];
    label_dtype = dtype;
    snprintf(text, sizeof text, "a,b,c\n0,0,1\n0,0,%s\n", cell);
    snprintf(message, sizeof message, "`t.csv`, line 3, column 3 (`c`): expected %s, found `%s`%s", expected,
             cell, hint);
    expect_refused(text, message);
}

Test(csv, whole_numbers) {
    expect_label(NN_U8, "255", "255");
    expect_label(NN_I8, "-128", "-128");
    expect_label(NN_I16, "+32767", "32767");
    expect_label(NN_I32, "-2147483648", "-2147483648");
    expect_label(NN_I64, "-9223372036854775808", "-9223372036854775808");
    expect_label(NN_I64, "9223372036854775807", "9223372036854775807");
    expect_label(NN_BOOL, "TRUE", "true");
    expect_label(NN_BOOL, "0", "false");
    static const char out_of_range[] = ", which is out of its range";
    expect_no_label(NN_U8, "256", "u8", out_of_range);
    expect_no_label(NN_U8, "-1", "u8", out_of_range);
    expect_no_label(NN_I8, "128", "i8", out_of_range);
    expect_no_label(NN_I8, "-129", "i8", out_of_range);
    expect_no_label(NN_I16, "32768", "i16", out_of_range);
    expect_no_label(NN_I32, "2147483648", "i32", out_of_range);
    expect_no_label(NN_I64, "9223372036854775808", "i64", "");
    expect_no_label(NN_I64, "1.0", "i64", "");
    expect_no_label(NN_I64, "-", "i64", "");
    expect_no_label(NN_BOOL, "2", "bool (0, 1, true or false)", "");
}

Test(csv, names) {
    static const char text[] = "a,b,c\n0,0,setosa\n0,1,Aster\n1,0,virginica\n1,1,setosa\n";
    expect_rows(text, "0.0 0.0 1\n0.0 1.0 0\n1.0 0.0 2\n1.0 1.0 1\n");
    label_dtype = NN_I64;
    expect_rows(text, "0.0 0.0 1\n0.0 1.0 0\n1.0 0.0 2\n1.0 1.0 1\n");
    expect_rows("a,b,c\n0,0,none\n0,1,na\n", "0.0 0.0 1\n0.0 1.0 0\n");
    expect_refused(
        "a,b,c\n0,0,setosa\n0,1,3\n",
        "`t.csv`, line 3, column 3 (`c`): expected a name, as in the column's first row, found `3`");
    expect_refused("a,b,c\n0,0,3\n0,1,setosa\n",
                   "`t.csv`, line 3, column 3 (`c`): expected i64, found `setosa`");
    expect_refused("a,b,c\n0,0,x\n0,1,\n",
                   "`t.csv`, line 3, column 3 (`c`): expected a name, found an empty cell "
                   "(`missing=\"none\"` would read such cells as that name)");
}

Test(csv, many_names) {
    char text[8192] = "a,b,c\n";
    for (int i = 0; i < 256; i++) sprintf(text + strlen(text), "0,0,n%03d\n", 255 - i);
    write_text(text);
    Outcome outcome = run_body(print_table, NULL);
    cr_expect_eq(outcome.status, 0);
    cr_expect_eq(strncmp(outcome.out, "0.0 0.0 255\n0.0 0.0 254\n", 24), 0);
    outcome_free(&outcome);
    strcat(text, "0,0,more\n");
    expect_refused(
        text, "`t.csv`, line 258, column 3 (`c`): expected no further name in this column, found `more`, "
              "the 257th: a u8 counts 256");
}

Test(csv, missing_cells) {
    settings[MISSING] = "-1";
    label_dtype = NN_I64;
    expect_rows("a,b,c\n,NaN,3\nn/a,2,NULL\n1,2,\n", "-1.0 -1.0 3\n-1.0 2.0 -1\n1.0 2.0 -1\n");
    expect_rows("a,b,c\n1,2,x\n1,,\n", "1.0 2.0 1\n1.0 -1.0 0\n");
    settings[MISSING] = "nan";
    expect_rows("a,b,c\n,NA,3\n", "nan nan 3\n");
    expect_refused("a,b,c\n,2,3\n1,2,\n",
                   "`t.csv`, line 3, column 3 (`c`): expected i64, found an empty cell");
    settings[MISSING] = "?";
    expect_rows("a,b,c\n1,2,x\n1,2,\n", "1.0 2.0 1\n1.0 2.0 0\n");
}
