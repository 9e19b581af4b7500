"""HTTP servers that run the ASGI application, one small file each; all listen where `endpoint` says."""
