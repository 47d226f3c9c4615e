#include "v8_image.h"

#include <string.h>

#define CONSTANT(name, value)                                                                      \
    extern const int v8dbg_##name;                                                                 \
    const int v8dbg_##name = value

CONSTANT(HeapObjectTag, 1);
CONSTANT(HeapObjectTagMask, 3);
CONSTANT(TaggedSize, 8);
CONSTANT(SmiTag, 0);
CONSTANT(SmiTagMask, 1);
CONSTANT(SmiShiftSize, 31);
CONSTANT(SmiValueShift, 1);
CONSTANT(SeqStringTag, 0);
CONSTANT(ConsStringTag, 1);
CONSTANT(ExternalStringTag, 2);
CONSTANT(ThinStringTag, 5);
CONSTANT(OneByteStringTag, 8);
CONSTANT(StringEncodingMask, 8);
CONSTANT(StringRepresentationMask, 7);
CONSTANT(off_fp_function, -16);
CONSTANT(off_fp_context, -8);
CONSTANT(off_fp_bytecode_array, -32);
CONSTANT(class_HeapObject__map__Map, 0);
CONSTANT(class_Map__instance_type__uint16_t, 12);
CONSTANT(class_JSFunction__shared__SharedFunctionInfo, 32);
CONSTANT(class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_, 16);
CONSTANT(class_SharedFunctionInfo__script__Tagged_HeapObject_, 32);
CONSTANT(class_Script__source__Object, 8);
CONSTANT(class_Script__name__Object, 16);
CONSTANT(class_Script__line_ends__Object, 56);
CONSTANT(class_String__length__int32_t, 12);
CONSTANT(class_SeqOneByteString__chars__char, 16);
CONSTANT(class_ConsString__first__String, 16);
CONSTANT(class_ConsString__second__String, 24);
CONSTANT(class_ThinString__actual__String, 16);
CONSTANT(class_ExternalString__resource__Object, 16);
CONSTANT(type_BytecodeArray__BYTECODE_ARRAY_TYPE, TYPE_BYTECODE);
CONSTANT(type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE, TYPE_SHARED);
CONSTANT(type_Script__SCRIPT_TYPE, TYPE_SCRIPT);
CONSTANT(type_ScopeInfo__SCOPE_INFO_TYPE, TYPE_SCOPE);
CONSTANT(scopeinfo_idx_first_vars, 3);

uintptr_t v8_small(int32_t value)
{
    return (uintptr_t)(uint32_t)value << 32;
}

uintptr_t *v8_words(uintptr_t object)
{
    return (uintptr_t *)(object - 1);
}

static uintptr_t take(struct v8_image *image, size_t words)
{
    uintptr_t object = (uintptr_t)&image->words[image->used] + 1;

    image->used += words;
    return object;
}

uintptr_t v8_object(struct v8_image *image, uint16_t type, size_t words)
{
    uintptr_t map = take(image, 2);
    uintptr_t object = take(image, words);

    memcpy((char *)v8_words(map) + 12, &type, sizeof(type));
    v8_words(object)[0] = map;
    return object;
}

static void set_length(uintptr_t string, uint32_t length)
{
    memcpy((char *)v8_words(string) + 12, &length, sizeof(length));
}

uintptr_t v8_one_byte(struct v8_image *image, const char *text)
{
    size_t length = strlen(text);
    uintptr_t string = v8_object(image, TYPE_SEQUENTIAL_ONE, 2 + (length + 7) / 8);

    set_length(string, (uint32_t)length);
    memcpy(v8_words(string) + 2, text, length);
    return string;
}

uintptr_t v8_two_byte(struct v8_image *image, const uint16_t *units, size_t count)
{
    uintptr_t string = v8_object(image, TYPE_SEQUENTIAL_TWO, 2 + (count * 2 + 7) / 8);

    set_length(string, (uint32_t)count);
    memcpy(v8_words(string) + 2, units, count * 2);
    return string;
}

uintptr_t v8_pair(struct v8_image *image, uint16_t type, uint32_t length, uintptr_t first,
                  uintptr_t second)
{
    uintptr_t string = v8_object(image, type, 4);

    set_length(string, length);
    v8_words(string)[2] = first;
    v8_words(string)[3] = second;
    return string;
}

uintptr_t v8_script(struct v8_image *image, int32_t id, uintptr_t name, uintptr_t source)
{
    uintptr_t script = v8_object(image, TYPE_SCRIPT, 12);

    v8_words(script)[1] = source;
    v8_words(script)[2] = name;
    v8_words(script)[8] = v8_small(id);
    return script;
}

static uintptr_t scope_of(struct v8_image *image, const struct v8_function *function)
{
    size_t names = function->locals < 75 ? (size_t)function->locals : 1;
    uintptr_t scope =
        v8_object(image, TYPE_SCOPE, 4 + names + (size_t)function->locals + 2 + 1 + 2 + 4);
    uintptr_t *word = v8_words(scope) + 1;
    int32_t flags = (function->name != 0 ? 1 << 12 : 0) | (function->inferred != 0 ? 1 << 14 : 0);

    word[0] = v8_small(flags);
    word[2] = v8_small(function->locals);
    word += 3 + names + (size_t)function->locals;
    if (function->name != 0) {
        word[0] = function->name;
        word += 2;
    }
    if (function->inferred != 0)
        *word++ = function->inferred;
    *word = v8_small(function->position);
    return scope;
}

uintptr_t v8_closure(struct v8_image *image, const struct v8_function *function)
{
    uintptr_t scope = scope_of(image, function);
    uintptr_t shared = v8_object(image, TYPE_SHARED, 7);
    uintptr_t closure = v8_object(image, TYPE_FUNCTION, 8);

    v8_words(shared)[2] = scope;
    v8_words(shared)[4] = function->script;
    v8_words(closure)[4] = shared;
    return closure;
}
