"""Registration methods on real and on translated pairs: does translating first help?"""
