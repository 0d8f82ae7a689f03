"""The language-model client: any endpoint of the OpenAI kind, its cache, retries, limits and budget.

Read from the top, each calls only what stands below it:

    client      what users call: texts, label scores, ratings, structured answers
    scoring     labels and ratings by the best means that an endpoint has
    session     one client at work: cache first, then the engine; opened when it is first needed
    engine      many calls at once on a thread of its own: gate, attempts, ledger
    transport   requests, replies, retries, schemas     accounting  cache, ledger, budget, limits
    settings    the settings of a client               local, toy  endpoints on this machine
"""
