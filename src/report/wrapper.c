#include "report/wrapper.h"

#include <string.h>

/* Exact names, and prefixes marked by a star. */
bool ls_wrapper_is_allocator(const char *function)
{
    static const char *const wrappers[] = {
        "malloc",        "calloc",         "realloc",     "xmalloc*",        "xcalloc*",
        "xrealloc*",     "xstrdup*",       "x_malloc",    "safe_malloc",     "operator new*",
        "g_malloc*",     "g_realloc*",     "g_strdup*",   "g_slice_alloc*",  "zmalloc*",
        "zcalloc*",      "zrealloc*",      "ztrymalloc*", "ztryrealloc*",    "sdsnew*",
        "ngx_alloc",     "ngx_calloc",     "ngx_palloc*", "ngx_pnalloc",     "ngx_pcalloc",
        "sqlite3Mem*",   "sqlite3Malloc*", "PyMem_*",     "PyObject_Malloc", "_PyObject_Malloc*",
        "_PyMem_*",      "uv__malloc",     "uv__calloc",  "uv__realloc",     "CRYPTO_malloc",
        "CRYPTO_zalloc", "CRYPTO_realloc", "std::*",      "__gnu_cxx::*",
    };

    for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
        size_t length = strlen(wrappers[i]);
        bool prefix = wrappers[i][length - 1] == '*';

        if (prefix ? strncmp(function, wrappers[i], length - 1) == 0
                   : strcmp(function, wrappers[i]) == 0)
            return true;
    }
    return false;
}
