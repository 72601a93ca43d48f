drop function simplebank.post_one;
