/*
 * Copyright (C) The im authors
 *
 * Options of directives by table.  An error names the argument and its cure.
 */

#include "ngx_im_option.h"
#include "ngx_im_conf.h"
#include "im_near.h"


/* NULL: there is none. */
static const ngx_im_option_t *
ngx_im_option_find(const ngx_im_option_t *options, ngx_str_t *arg)
{
    const ngx_im_option_t  *option;

    for (option = options; option->name.len > 0; option++) {
        if (arg->len >= option->name.len
            && (arg->len == option->name.len
                || option->type != NGX_IM_OPTION_WORD)
            && ngx_strncmp(arg->data, option->name.data, option->name.len) == 0)
        {
            return option;
        }
    }

    return NULL;
}


/* An earlier argument has set the same field. */
static ngx_uint_t
ngx_im_option_twice(ngx_conf_t *cf, ngx_uint_t first, ngx_uint_t i,
    const ngx_im_option_t *options, const ngx_im_option_t *option)
{
    ngx_str_t              *args;
    ngx_uint_t              k;
    const ngx_im_option_t  *other;

    args = cf->args->elts;

    for (k = first; k < i && option->type != NGX_IM_OPTION_CIDR; k++) {
        other = ngx_im_option_find(options, &args[k]);

        if (other->offset == option->offset
            && ((other->flags ^ option->flags) & NGX_IM_OPTION_MAIN) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* NULL: none is near.  Options that have a value are in the list. */
static const ngx_im_option_t *
ngx_im_option_near(const ngx_im_option_t *options, ngx_str_t *arg)
{
    u_char                 *value;
    im_near_t               near;
    const ngx_im_option_t  *option, *found;

    value = ngx_strlchr(arg->data, arg->data + arg->len, '=');
    found = NULL;

    im_near_init(&near, im_str_set(arg->data, value != NULL
                                   ? (size_t) (value + 1 - arg->data)
                                   : arg->len));

    for (option = options; option->name.len > 0; option++) {
        value = (u_char *) ngx_strchr(option->name.data, '=');

        if (value == NULL || value[1] == '\0') {
            im_near_try(&near, ngx_im_str(option->name));
        }

        if (near.found.data == option->name.data) {
            found = option;
        }
    }

    return found;
}


/* The cure is the option that was meant, or what there is. */
static char *
ngx_im_option_unknown(ngx_conf_t *cf, ngx_command_t *cmd,
    const ngx_im_option_t *options, ngx_str_t *arg, const char *unknown)
{
    const ngx_im_option_t  *near;

    near = ngx_im_option_near(options, arg);

    return near != NULL
           ? ngx_im_refuse(cf, "%V: \"%V\" is unknown: do you mean %V?",
                           &cmd->name, arg, &near->name)
           : ngx_im_invalid(cf, cmd, arg, unknown);
}


char *
ngx_im_options(ngx_conf_t *cf, ngx_command_t *cmd, ngx_uint_t first,
    const ngx_im_option_t *options, void *conf, const char *unknown)
{
    char                   *rv;
    ngx_str_t              *args;
    ngx_uint_t              i;
    const ngx_im_option_t  *option;

    args = cf->args->elts;
    rv = NGX_CONF_OK;

    for (i = first; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {
        option = ngx_im_option_find(options, &args[i]);

        if (option == NULL) {
            rv = ngx_im_option_unknown(cf, cmd, options, &args[i], unknown);

        } else if (ngx_im_option_twice(cf, first, i, options, option)) {
            rv = ngx_im_invalid(cf, cmd, &args[i], "is there twice");

        } else {
            rv = ngx_im_option_set(cf, cmd, option, &args[i], conf);
        }
    }

    return rv;
}


/* By ngx_im_option_e: what a value that is not valid should be. */
static const char *const  ngx_im_option_cures[] = {
    [NGX_IM_OPTION_STRING] = "has no valid value",
    [NGX_IM_OPTION_NUMBER] = "must be a number",
    [NGX_IM_OPTION_SIZE] =
        "must be a number of bytes, such as 4096, 64k or 16m",
    [NGX_IM_OPTION_MSEC] = "must be a time, such as 500ms, 10s or 5m",
    [NGX_IM_OPTION_SEC] = "must be a time, such as 10s or 5m",
    [NGX_IM_OPTION_WORD] = "has no valid value",
    [NGX_IM_OPTION_CIDR] = "has no valid value"
};


/* A number, or a string's length; NGX_ERROR: not valid. */
static ngx_int_t
ngx_im_option_value(const ngx_im_option_t *option, ngx_str_t *value)
{
    switch (option->type) {

    case NGX_IM_OPTION_STRING:
        return value->len;

    case NGX_IM_OPTION_NUMBER:
        return ngx_atoi(value->data, value->len);

    case NGX_IM_OPTION_SIZE:
        return ngx_parse_size(value);

    case NGX_IM_OPTION_MSEC:
        return ngx_parse_time(value, 0);

    case NGX_IM_OPTION_SEC:
        return ngx_parse_time(value, 1);

    case NGX_IM_OPTION_WORD:
        return option->min;

    default:
        return NGX_ERROR;
    }
}


/* Adds a network to an array; one alone is an address. */
static char *
ngx_im_option_cidr(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *arg,
    ngx_str_t *value, ngx_array_t **array)
{
    ngx_int_t    rc;
    ngx_cidr_t  *cidr;

    if (*array == NULL) {
        *array = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (*array == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    cidr = ngx_array_push(*array);
    if (cidr == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(cidr, sizeof(ngx_cidr_t));

    rc = ngx_ptocidr(value, cidr);

    if (rc == NGX_ERROR) {
        return ngx_im_invalid(cf, cmd, arg, "must be an address or a network "
                              "like 10.0.0.0/8 or 2001:db8::/32");
    }

    if (rc == NGX_DONE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "%V: low address bits of \"%V\" are meaningless",
                           &cmd->name, arg);
    }

    return NGX_CONF_OK;
}


char *
ngx_im_option_set(ngx_conf_t *cf, ngx_command_t *cmd,
    const ngx_im_option_t *option, ngx_str_t *arg, void *conf)
{
    u_char     *field;
    ngx_int_t   n;
    ngx_str_t   value;

    if (option->flags & NGX_IM_OPTION_MAIN) {
        if (cf->cmd_type != NGX_HTTP_MAIN_CONF) {
            return ngx_im_invalid(cf, cmd, arg,
                                  "holds for all servers: set it in http{}");
        }

        conf = ngx_http_conf_get_module_main_conf(cf, ngx_im_module);
    }

    value.data = arg->data + option->name.len;
    value.len = arg->len - option->name.len;
    field = (u_char *) conf + option->offset;

    if (option->type == NGX_IM_OPTION_CIDR) {
        return ngx_im_option_cidr(cf, cmd, arg, &value,
                                  (ngx_array_t **) field);
    }

    n = ngx_im_option_value(option, &value);

    if (n < option->min || n > option->max) {
        if (option->cure != NULL) {
            return ngx_im_invalid(cf, cmd, arg, option->cure);
        }

        return n == NGX_ERROR
               ? ngx_im_invalid(cf, cmd, arg,
                                ngx_im_option_cures[option->type])
               : ngx_im_refuse(cf, "%V: \"%V\" is below %i, the least that "
                               "works", &cmd->name, arg, option->min);
    }

    if (option->type == NGX_IM_OPTION_STRING) {
        *(ngx_str_t *) field = value;
        return NGX_CONF_OK;
    }

    if ((option->flags & NGX_IM_OPTION_ONCE)
        && *(ngx_uint_t *) field != NGX_CONF_UNSET_UINT)
    {
        return ngx_im_invalid(cf, cmd, arg, "is there twice");
    }

    *(ngx_uint_t *) field = n;

    return NGX_CONF_OK;
}


char *
ngx_im_invalid(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *arg,
    const char *cure)
{
    return ngx_im_refuse(cf, "%V: \"%V\" %s", &cmd->name, arg, cure);
}


char *
ngx_im_refuse(ngx_conf_t *cf, const char *fmt, ...)
{
    u_char   *p, text[NGX_MAX_CONF_ERRSTR];
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%*s", (size_t) (p - text), text);

    return NGX_CONF_ERROR;
}
