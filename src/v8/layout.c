#include "v8/layout.h"

#include <dlfcn.h>

#include "base/compiler.h"

#define OFFSET_MAX 256
#define NAMES_MAX  3

/* One constant; its name ends in the field's type, which changes between releases. */
struct constant {
    const char *names[NAMES_MAX];
    size_t offset;
};

#define CONSTANT(member, ...)                                                                      \
    {                                                                                              \
        {__VA_ARGS__}, offsetof(struct ls_v8_layout, member)                                       \
    }

static const struct constant constants[] = {
    CONSTANT(frame_function, "v8dbg_off_fp_function"),
    CONSTANT(frame_context, "v8dbg_off_fp_context"),
    CONSTANT(frame_bytecode, "v8dbg_off_fp_bytecode_array"),
    CONSTANT(map_instance_type, "v8dbg_class_Map__instance_type__uint16_t"),
    CONSTANT(function_shared, "v8dbg_class_JSFunction__shared__SharedFunctionInfo"),
    CONSTANT(shared_name, "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Object",
             "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_",
             "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_"),
    CONSTANT(shared_script, "v8dbg_class_SharedFunctionInfo__script_or_debug_info__HeapObject",
             "v8dbg_class_SharedFunctionInfo__script__Tagged_HeapObject_"),
    CONSTANT(script_source, "v8dbg_class_Script__source__Object"),
    CONSTANT(script_name, "v8dbg_class_Script__name__Object"),
    CONSTANT(script_line_ends, "v8dbg_class_Script__line_ends__Object"),
    CONSTANT(string_length, "v8dbg_class_String__length__int32_t"),
    CONSTANT(string_characters, "v8dbg_class_SeqOneByteString__chars__char"),
    CONSTANT(string_first, "v8dbg_class_ConsString__first__String"),
    CONSTANT(string_second, "v8dbg_class_ConsString__second__String"),
    CONSTANT(string_actual, "v8dbg_class_ThinString__actual__String"),
    CONSTANT(string_resource, "v8dbg_class_ExternalString__resource__Object"),
    CONSTANT(type_bytecode, "v8dbg_type_BytecodeArray__BYTECODE_ARRAY_TYPE"),
    CONSTANT(type_shared, "v8dbg_type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE"),
    CONSTANT(type_script, "v8dbg_type_Script__SCRIPT_TYPE"),
    CONSTANT(type_scope_info, "v8dbg_type_ScopeInfo__SCOPE_INFO_TYPE"),
    CONSTANT(scope_first_local, "v8dbg_scopeinfo_idx_first_vars"),
};

/* What is taken for granted of tagged words and strings. */
static const struct {
    const char *name;
    int value;
} expected[] = {
    {"v8dbg_HeapObjectTag", 1},     {"v8dbg_HeapObjectTagMask", 3},
    {"v8dbg_TaggedSize", 8},        {"v8dbg_SmiTag", 0},
    {"v8dbg_SmiTagMask", 1},        {"v8dbg_SmiShiftSize", 31},
    {"v8dbg_SmiValueShift", 1},     {"v8dbg_class_HeapObject__map__Map", 0},
    {"v8dbg_SeqStringTag", 0},      {"v8dbg_ConsStringTag", 1},
    {"v8dbg_ExternalStringTag", 2}, {"v8dbg_ThinStringTag", 5},
    {"v8dbg_OneByteStringTag", 8},  {"v8dbg_StringEncodingMask", 8},
    {"v8dbg_off_fp_function", -16}, {"v8dbg_StringRepresentationMask", 7},
};

static const int *find(void *scope, const char *const *names)
{
    const int *found = NULL;

    for (size_t i = 0; i < NAMES_MAX && names[i] != NULL && found == NULL; i++)
        found = dlsym(scope, names[i]);
    return found;
}

static bool is_as_expected(void *scope)
{
    for (size_t i = 0; i < LS_ARRAY_LENGTH(expected); i++) {
        const int *value = dlsym(scope, expected[i].name);

        if (value == NULL || *value != expected[i].value)
            return false;
    }
    return true;
}

bool ls_v8_layout_find(struct ls_v8_layout *layout, void *scope)
{
    if (!is_as_expected(scope))
        return false;
    for (size_t i = 0; i < LS_ARRAY_LENGTH(constants); i++) {
        const int *value = find(scope, constants[i].names);
        bool is_type = constants[i].offset >= offsetof(struct ls_v8_layout, type_bytecode) &&
                       constants[i].offset <= offsetof(struct ls_v8_layout, type_scope_info);

        if (value == NULL || (!is_type && (*value < -OFFSET_MAX || *value > OFFSET_MAX)))
            return false;
        *(int *)((char *)layout + constants[i].offset) = *value;
    }
    return true;
}
