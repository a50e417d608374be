"""Result files that benchmark tools write, read into rows of the public input format.

``registry`` names the formats and recognises one by its content, a module each reads them into ``run.Run``, and
``convert`` puts the runs of files and folders into one table, asking for what they do not state.
"""
