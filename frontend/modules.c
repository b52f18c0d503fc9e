/* Finds and loads modules: see modules.h. */
#include "frontend/modules.h"
#include "frontend/habits.h"
#include "frontend/library.h"
#include "support/file.h"
#include "support/vec.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

typedef enum { LOADING, LOADED, FAILED } ModuleState;

/* A file of the program or the library. */
typedef struct Module Module;
struct Module {
    ModuleState state;
    const char *name; /* "" for the program */
    const char *key;  /* interned: what tells files apart */
    const char *path; /* of the file; NULL for one in the compiler */
    bool library;
    uint32_t source; /* 0 before it is read */
    AstFile *file;
    const Module *importer; /* that of the import which loaded it first; NULL for the program */
    Span import;
};

struct Modules {
    const FrontendOptions *options;
    Arena *arena;
    VEC(Module *) all;
    const char *library; /* NNC_STDLIB, or NULL for the one in the compiler */
};

Modules *modules_new(const FrontendOptions *options) {
    Modules *modules = ARENA_NEW(ir_arena(options->ir), Modules);
    const char *library = getenv("NNC_STDLIB");
    modules->options = options;
    modules->arena = ir_arena(options->ir);
    modules->library = library && *library ? arena_strdup(modules->arena, library) : NULL;
    return modules;
}

static const Module *module_of(const Modules *modules, uint32_t source) {
    for (uint32_t i = 0; i < modules->all.count; i++)
        if (modules->all.at[i]->source == source) return modules->all.at[i];
    return NULL;
}

bool module_is_library(const Modules *modules, uint32_t source) {
    const Module *module = module_of(modules, source);
    return module && module->library;
}

const char *module_name(const Modules *modules, uint32_t source) {
    const Module *module = module_of(modules, source);
    return module ? module->name : "";
}

/* --- where a module could be */

/* "a.b", "a/b" */
static const char *join_path(Modules *modules, const AstDecl *import, const char *separator) {
    const char *path = import->import.path[0].text;
    for (uint32_t i = 1; i < import->import.depth; i++)
        path = arena_printf(modules->arena, "%s%s%s", path, separator, import->import.path[i].text);
    return path;
}

/* The folder of a file, with a `/` unless it is the current one. */
static const char *folder_of(Modules *modules, const char *path) {
    const char *slash = strrchr(path, '/');
    return arena_strndup(modules->arena, path, slash ? (size_t)(slash - path) + 1 : 0);
}

static const LibraryModule *find_embedded(const char *name) {
    for (uint32_t i = 0; i < library_module_count; i++)
        if (!strcmp(library_modules[i].name, name)) return &library_modules[i];
    return NULL;
}

bool library_has(const char *name) { return find_embedded(name) != NULL; }

/* True where a line of the text is `KIND NAME…`, a declaration. */
static bool declares(const char *text, const char *kind, const char *name) {
    size_t length = strlen(kind), count = strlen(name);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, kind, length) || strncmp(at + length, name, count)) continue;
        char next = at[length + count];
        if (next == '(' || next == ' ') return true;
    }
    return false;
}

const char *library_with(const char *name) {
    static const char *const kinds[] = {"fn ", "model ", "optimizer "};
    for (uint32_t i = 0; i < library_module_count; i++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (declares(library_modules[i].text, kinds[k], name)) return library_modules[i].name;
    return NULL;
}

static Module *add(Modules *modules, const char *key, const char *path, bool library) {
    const char *interned = intern(ir_strings(modules->options->ir), key);
    for (uint32_t i = 0; i < modules->all.count; i++)
        if (modules->all.at[i]->key == interned) return modules->all.at[i];
    Module *module = ARENA_NEW(modules->arena, Module);
    *module = (Module){.state = LOADING, .name = "", .key = interned, .path = path, .library = library};
    vec_push(modules->arena, &modules->all, module);
    return module;
}

static Module *find_beside(Modules *modules, const Module *importer, const char *path) {
    if (importer->library) return NULL;
    const char *file = arena_printf(modules->arena, "%s%s.nn", folder_of(modules, importer->path), path);
    if (!file_exists(file) || !strcmp(file, importer->path)) return NULL;
    return add(modules, file, file, false);
}

static Module *find_in_library(Modules *modules, const char *path) {
    if (modules->library) {
        const char *file = arena_printf(modules->arena, "%s/%s.nn", modules->library, path);
        return file_exists(file) ? add(modules, file, file, true) : NULL;
    }
    if (!find_embedded(path)) return NULL;
    return add(modules, arena_printf(modules->arena, "stdlib/%s.nn (library)", path), NULL, true);
}

/* "a.b" of "a/b" */
static const char *dotted(Modules *modules, const char *path) {
    char *name = arena_strndup(modules->arena, path, strlen(path));
    for (char *at = name; *at; at++)
        if (*at == '/') *at = '.';
    return name;
}

/* --- complaints */

typedef VEC(const char *) Names;

/* The names of the .nn files of a folder but `importer`. */
static void list_folder(Modules *modules, const char *folder, const char *importer, Names *names) {
    DIR *entries = opendir(*folder ? folder : ".");
    if (!entries) return;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        size_t length = strlen(entry->d_name);
        if (length <= 3 || strcmp(entry->d_name + length - 3, ".nn")) continue;
        if (!strcmp(arena_printf(modules->arena, "%s%s", folder, entry->d_name), importer)) continue;
        vec_push(modules->arena, names, arena_strndup(modules->arena, entry->d_name, length - 3));
    }
    closedir(entries);
}

/* A module in the folder where this one was looked for, with a name like its last; NULL if none is. */
static const char *near_beside(Modules *modules, const Module *importer, const char *path, const char *last) {
    Names names = {0};
    const char *below = folder_of(modules, path);
    list_folder(modules, arena_printf(modules->arena, "%s%s", folder_of(modules, importer->path), below),
                importer->path, &names);
    const char *near = suggest(last, names.at, names.count);
    return near ? arena_printf(modules->arena, "%s%s", dotted(modules, below), near) : NULL;
}

static void report_missing(Modules *modules, const AstDecl *import, const Module *importer, Span span) {
    const char *name = join_path(modules, import, "."), *path = join_path(modules, import, "/");
    Diagnostic *d = diag_report(modules->options->diags, D_MODULE_NOT_FOUND, span, name);
    AstName last = import->import.path[import->import.depth - 1];
    Names names = {0};
    for (uint32_t i = 0; i < library_module_count; i++)
        vec_push(modules->arena, &names, dotted(modules, library_modules[i].name));
    if (!importer->library) {
        const char *beside = near_beside(modules, importer, path, last.text);
        if (beside) vec_push(modules->arena, &names, beside);
        diag_note(d, "looked for `%s%s.nn`, then in the library", folder_of(modules, importer->path), path);
    }
    const char *near = suggest(name, names.at, names.count);
    const char *habit = habit_help(HABIT_MODULE, import->import.path[0].text);
    if (habit)
        diag_help(d, "%s", habit);
    else if (import->import.depth == 2 && library_has(import->import.path[0].text))
        diag_help(d, "write `from %s import %s`", import->import.path[0].text, last.text);
    else if (near)
        diag_help(d, "did you mean `%s`?", near);
}

static const char *shown_name(const Module *module) { return *module->name ? module->name : module->path; }

/* `importer` imports `module`, which is being loaded. */
static void report_cycle(Modules *modules, const Module *module, const Module *importer, Span span) {
    Diagnostic *d = diag_report(modules->options->diags, D_IMPORT_CYCLE, span, shown_name(module));
    const char *way = arena_printf(modules->arena, "%s → %s", shown_name(importer), shown_name(module));
    for (const Module *at = importer; at != module && at->importer; at = at->importer) {
        diag_label(d, at->import, "`%s` is imported here", shown_name(at));
        way = arena_printf(modules->arena, "%s → %s", shown_name(at->importer), way);
    }
    diag_note(d, "%s", way);
    diag_help(d, "move what both need into a third module");
}

/* --- loading */

/* Reads the text as a source; 0 after reporting. */
static uint32_t read_source(Modules *modules, const Module *module, const char *name, Span span) {
    Sources *sources = modules->options->sources;
    if (!module->path) {
        const LibraryModule *embedded = find_embedded(name);
        return sources_add(sources, arena_printf(modules->arena, "stdlib/%s.nn", name), embedded->text,
                           embedded->length);
    }
    size_t length = 0;
    const char *error = NULL;
    char *text = file_read(modules->arena, module->path, &length, &error);
    if (!text) {
        diag_report(modules->options->diags, D_FILE_READ, span, module->path, error);
        return 0;
    }
    return sources_add(sources, module->path, text, (uint32_t)length);
}

/* NULL where the file has any mistake: a part of a module would only make others. */
static AstFile *parse(Modules *modules, Module *module, const char *name, Span span) {
    unsigned errors = diagnostics_errors(modules->options->diags);
    module->source = read_source(modules, module, name, span);
    if (!module->source) return NULL;
    AstFile *file = frontend_parse(modules->options, module->source);
    return diagnostics_errors(modules->options->diags) == errors ? file : NULL;
}

static AstFile *load(Modules *modules, Module *module, const char *name, Span span) {
    AstFile *file = parse(modules, module, name, span);
    bool complete = file != NULL;
    for (const AstDecl *decl = file ? file->decls : NULL; decl; decl = decl->next)
        if (decl->kind == AST_IMPORT && !module_load(modules, decl, module->source)) complete = false;
    module->file = complete ? file : NULL;
    module->state = complete ? LOADED : FAILED;
    return module->file;
}

AstFile *modules_load_program(Modules *modules, const char *path) {
    Module *module = add(modules, path, path, false);
    module->file = parse(modules, module, "", (Span){0});
    return module->file; /* stays LOADING: nothing can import the program */
}

AstFile *module_load(Modules *modules, const AstDecl *import, uint32_t from_source) {
    const Module *importer = module_of(modules, from_source);
    if (!importer) return NULL;
    const char *path = join_path(modules, import, "/");
    Span span = span_join(import->import.path[0].span, import->import.path[import->import.depth - 1].span);
    Module *module = find_beside(modules, importer, path);
    if (!module) module = find_in_library(modules, path);
    if (!module) return report_missing(modules, import, importer, span), NULL;
    if (module->state == LOADING && module->source)
        return report_cycle(modules, module, importer, span), NULL;
    if (module->state != LOADING) return module->file;
    module->name = join_path(modules, import, ".");
    module->importer = importer;
    module->import = span;
    return load(modules, module, path, span);
}
