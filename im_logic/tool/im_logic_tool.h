/*
 * Copyright (C) The im authors
 *
 * What im_logic does besides serving: "im_logic token ...".
 */

#ifndef IM_LOGIC_TOOL_H
#define IM_LOGIC_TOOL_H


/*
 * Makes a JSON Web Token, or explains one; argv[0] is "token".  The status of
 * main(): 0 the token was made, or nginx takes it; 1 it doesn't; 2 an option
 * can't be right.
 */
int im_logic_token_main(int argc, char **argv);


#endif /* IM_LOGIC_TOOL_H */
