/**
 * `node:http` as a value. A program that imports it as a module is given every name of it, and for
 * one that nobody here asks for Node loads the whole of `fetch`: half as long again as Node itself
 * takes to start.
 */
export const plainHttp = process.getBuiltinModule('node:http')
