/* Finds, reads and parses the program and the modules that it imports; each file once.
 *
 * `import a.b` means a/b.nn beside the importing file; where there is none (or that is the importing file
 * itself), the library module a.b. So a program keeps its meaning when the library grows, and `import random`
 * in random.nn is still the library's. Library modules import library modules only: no file of the user's can
 * change what is inside the library. The library is in the compiler itself, or in the folder that the
 * environment variable NNC_STDLIB names. */
#ifndef FRONTEND_MODULES_H
#define FRONTEND_MODULES_H

#include "frontend/frontend.h"

typedef struct Modules Modules;

/* Lives as long as the arena of `options->ir`; keeps `options`. */
Modules *modules_new(const FrontendOptions *options);

/* Reads and parses the program itself. NULL after reporting where it can't be read. */
AstFile *modules_load_program(Modules *modules, const char *path);

/* The module that an AST_IMPORT of source `from_source` names, with everything that it imports itself loaded
 * too (so the imports of a loaded file always succeed, and the graph of imports has no cycle). NULL after
 * reporting where there is no such module, it can't be read or parsed, or it imports itself around some
 * corners. The same file yields the same pointer. */
AstFile *module_load(Modules *modules, const AstDecl *import, uint32_t from_source);

/* True for files of the library. */
bool module_is_library(const Modules *modules, uint32_t source);

/* True if the library has a module of that name. */
bool library_has(const char *name);

/* The library's module that declares a function, model or optimizer of that name ("nn/loss"); NULL if none
 * does. */
const char *library_with(const char *name);

/* "nn", "a.b": as written in the import that loaded it first; "" for the program. */
const char *module_name(const Modules *modules, uint32_t source);

#endif
